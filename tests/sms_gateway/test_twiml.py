"""Messages are written as the vendor's own library would write them."""

from hypothesis import given, strategies as st
from twilio.twiml.messaging_response import MessagingResponse

from sms_gateway import twiml

# What XML can hold, without lone surrogates; a body is never empty.
texts = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs",)) | st.sampled_from("\n\t<>&\"'茶🎁"), min_size=1
)
addresses = st.none() | st.text('abc/:.?=&%-_"<>', min_size=1).map("https://labels.example/".__add__)


@given(st.lists(st.tuples(texts, addresses), max_size=3))
def test_messages_are_as_the_library_writes_them(replies: list[tuple[str, str | None]]) -> None:
    theirs = MessagingResponse()
    for body, status_callback in replies:
        theirs.message(body=body, status_callback=status_callback)

    assert twiml.messages(replies) == str(theirs)
