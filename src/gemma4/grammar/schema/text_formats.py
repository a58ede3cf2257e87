"""The values of `format` that are enforced, as patterns over the whole text, after the standards they name.

A pattern may be a little narrower than its standard, never wider, so that what a model writes satisfies
any validator: no leap second, no year 0, no quoted mail boxes, no mail to an IP address.
"""

from collections.abc import Mapping
from typing import Final

_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = (
    r"(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29"
)
_TIME = (
    r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))"
)
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_BYTE}\.){{3}}{_BYTE}"
_GROUP = r"[0-9a-fA-F]{1,4}"
_IPV6 = "|".join((
    rf"(?:{_GROUP}:){{7}}{_GROUP}",
    *(rf"(?:{_GROUP}:){{1,{7 - after}}}(?::{_GROUP}){{{after}}}" for after in range(1, 7)),
    rf"(?:{_GROUP}:){{1,7}}:",
    rf"(?:{_GROUP}:){{6}}{_IPV4}",
    rf"::(?:{_GROUP}:){{0,5}}{_IPV4}",
    *(rf"(?:{_GROUP}:){{1,{5 - after}}}:(?:{_GROUP}:){{{after}}}{_IPV4}" for after in range(5)),
    rf":(?::{_GROUP}){{1,7}}",
    "::",
))  # fmt: skip
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_WORD = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_CHARACTER = r"(?:[a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2})"
_URI = (
    rf"[a-zA-Z][a-zA-Z0-9+.-]*:(?://(?:(?:[a-zA-Z0-9._~!$&'()*+,;=:-]|%[0-9a-fA-F]{{2}})*@)?"
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:{_IPV6})\])(?::[0-9]{{1,4}})?(?:/{_CHARACTER}*)*"
    rf"|/?{_CHARACTER}+(?:/{_CHARACTER}*)*)"
    rf"(?:\?(?:{_CHARACTER}|[/?])*)?(?:#(?:{_CHARACTER}|[/?])*)?"
)
_DURATION = (
    r"P(?:[0-9]{1,9}W|(?:[0-9]{1,9}Y(?:[0-9]{1,9}M(?:[0-9]{1,9}D)?)?|[0-9]{1,9}M(?:[0-9]{1,9}D)?"
    r"|[0-9]{1,9}D)(?:T@)?|T@)"
).replace(
    "@",
    r"(?:[0-9]{1,9}H(?:[0-9]{1,9}M(?:[0-9]{1,9}S)?)?|[0-9]{1,9}M(?:[0-9]{1,9}S)?|[0-9]{1,9}S)",
)

_SHORT = r"(?s:.{1,253})"

FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "date": (_DATE,),
    "time": (_TIME,),
    "date-time": (rf"(?:{_DATE})[Tt]{_TIME}",),
    "duration": (_DURATION,),
    "email": (
        rf"{_WORD}(?:\.{_WORD})*@{_LABEL}(?:\.{_LABEL})*",
        r"[^@]{1,64}@[^@]{1,189}",
    ),
    "hostname": (rf"{_LABEL}(?:\.{_LABEL})*", _SHORT),
    "ipv4": (_IPV4,),
    "ipv6": (_IPV6,),
    "uuid": (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",),
    "uri": (_URI,),
    "json-pointer": (r"(?:/(?:[^/~]|~[01])*)*",),
}
"""Patterns that a text of the format matches, each as a whole."""
