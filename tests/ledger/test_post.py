def test_smoke(world, balances):
    t = world.award(world.consumer, 100)
    assert balances(world.consumer, world.issuance) == [100, -100]
    world.spend(world.consumer, 30)
    assert balances(world.consumer, world.redeemed) == [70, 30]
    assert t.xact
    assert world.award(world.consumer, 100).id == t.id
