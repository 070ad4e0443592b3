"""django-hordak, a double-entry ledger for Django, making one transfer after another: `python -m bench.rival prepare|run`.

Run in a process of its own with ``RIVAL_DATABASE_URL``; prints transfers per second. It is measured at the number of
threads that suits it best, and does less than a redemption does: two legs and a transaction row, no balance, no lot.
"""

import os
import sys
import threading
import time
import warnings

ACCOUNTS, SECONDS, THREADS = 1000, 5.0, (1, 4, 16)


def configure() -> None:
    import django
    from django.conf import settings
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(os.environ["RIVAL_DATABASE_URL"])
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "mptt", "djmoney", "hordak"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts["dbname"],
                "USER": parts["user"],
                "PASSWORD": parts["password"],
                "HOST": parts["host"],
                "PORT": str(parts["port"]),
                "CONN_MAX_AGE": None,
            }
        },
        CURRENCIES=["EUR"],
        HORDAK_CURRENCIES=["EUR"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


def prepare() -> None:
    from django.core.management import call_command
    from hordak.models import Account, AccountType

    call_command("migrate", verbosity=0)
    for number in range(ACCOUNTS):
        Account.objects.create(name=f"holder {number}", type=AccountType.liability, currencies=["EUR"])


def run(threads: int) -> float:
    """Transfer from one issuing account to the holders for some seconds; return transfers per second."""
    from django.db import connection, transaction
    from hordak.models import Account
    from moneyed import Money

    accounts = list(Account.objects.order_by("id"))
    done = [0] * threads
    until = time.perf_counter() + SECONDS

    def work(number: int) -> None:
        while time.perf_counter() < until:
            holder = accounts[1 + (done[number] * threads + number) % (len(accounts) - 1)]
            with transaction.atomic():
                accounts[0].transfer_to(holder, Money(1, "EUR"))
            done[number] += 1
        connection.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - started)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    configure()
    if sys.argv[1] == "prepare":
        prepare()
    elif sys.argv[1] == "run":
        print(run(int(sys.argv[2])))
