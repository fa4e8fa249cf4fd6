"""Where this server differs from Dovecot on an awkward message, and why that is right: the RFC and its words.

Keys are names of :mod:`tests.support.awkward`. Where a message breaks the grammar no sentence can say what it means;
there RFC 1122 section 1.2.2 decides for showing what is there over dropping it.
"""

from __future__ import annotations

LIBERAL = (
    "RFC 1122 section 1.2.2: 'Be liberal in what you accept': what no grammar allows is shown as far as it can be read;"
    " Dovecot drops the rest"
)
CRLF_OF_BOUNDARY = (
    "RFC 2046 section 5.1.1: 'The CRLF preceding the boundary delimiter line is conceptually attached to the boundary';"
    " Dovecot counts it to a part that is a multipart or a message"
)
DEFAULT_TYPE = (
    "RFC 2045 section 5.2: 'It is also recommend that this default [text/plain] be assumed when a syntactically invalid"
    " Content-Type header field is encountered'; Dovecot says a type of no letters"
)
UNKNOWN_TYPE = (
    "RFC 2049 section 2: 'Upon encountering any unrecognized Content-Type field, an implementation must treat it as"
    " if it had a media type of application/octet-stream': x-unknown is recognised by none; Dovecot says no letters"
)
NO_PARTS = (
    "RFC 2046 section 5.1: the body of a multipart 'must then contain one or more body parts': without one the type is"
    " invalid, and RFC 2045 section 5.2 recommends to show it as text; Dovecot shows an empty part instead of the text"
)
FIRST_COUNTS = (
    "RFC 5322 section 3.6 allows the field once: no word on which one counts. The first, as in SORT of both servers"
)
NO_NUL = (
    "RFC 3501 section 9 has no NUL in strings, and RFC 3501 section 6.4.5 promises 'the text of a particular body"
    " section': what cannot be said and is asked for goes out as it lies; Dovecot puts other octets in its place"
)
NOT_ENCODED = (
    "RFC 2046 section 5.2.1: 'No encoding other than 7bit, 8bit, or binary is permitted for the body of a"
    " message/rfc822 entity': an encoded one is a file to be decoded; Dovecot reads fields out of the encoded text"
)
EMPTY_ADDRESS = (
    "RFC 5322 section 3.4: angle-addr = '<' addr-spec '>': where there is none there is no address; section 4.4"
    " allows empty members of a list (obs-mbox-list); Dovecot makes an address of each"
)
ABSENT_SENDER = (
    "RFC 3501 section 7.4.2: 'If the Sender or Reply-To lines are absent in the [RFC-2822] header, or are present but"
    " empty, the server sets the corresponding member of the envelope to be the same value as the from member'"
)
DISPOSITION = (
    "RFC 2183 section 2.8: 'Unrecognized disposition types should be treated as attachment', and section 2: without"
    " type and parameter there is no disposition; Dovecot says one of no letters"
)
FIELDS_ONLY = (
    "RFC 3501 section 6.4.5: 'the subset returned by HEADER.FIELDS.NOT contains only the header fields with a"
    " non-matching field-name': a line without a name is no field; Dovecot counts it to them"
)
NO_EMPTY_LINE = (
    "RFC 3501 section 6.4.5: 'the blank line is included in all header fetches, except in the case of a message which"
    " has no body and no blank line'; Dovecot includes one in HEADER.FIELDS"
)

ENVELOPE: dict[str, str] = {
    "to groups touching": LIBERAL,
    "to group in group": LIBERAL,
    "to route empty": LIBERAL,
    "to comment open": LIBERAL,
    "to name is bare address": LIBERAL,
    "to quote open": LIBERAL,
    "to angle open": LIBERAL,
    "to angle twice": LIBERAL,
    "to angle two": LIBERAL,
    "to angle words": LIBERAL,
    "to local missing in angle": LIBERAL,
    "to words and address": LIBERAL,
    "to ats in angle": LIBERAL,
    "to semicolons": LIBERAL,
    "to brackets": LIBERAL,
    "to mailto": LIBERAL,
    "to backslash": LIBERAL,
    "to angle only": EMPTY_ADDRESS,
    "to commas": EMPTY_ADDRESS,
    "from angle empty": EMPTY_ADDRESS,
    "sender broken": ABSENT_SENDER,
    "from twice": FIRST_COUNTS,
    "date twice": FIRST_COUNTS,
    "head ids twice": FIRST_COUNTS,
    "subject NUL": NO_NUL,
    "head NUL": NO_NUL,
    "head blank line with blanks": "RFC 5322 section 3.3: the [CFWS] behind a date is no part of it",
    "head spam": LIBERAL,
}

STRUCTURE: dict[str, str] = {
    "boundary missing": DEFAULT_TYPE,
    "boundary empty": "RFC 2046 section 5.1.1: boundary := 0*69<bchars> bcharsnospace: one character at least",
    "boundary never comes": NO_PARTS,
    "boundary never comes alternative": NO_PARTS,
    "boundary only closes": NO_PARTS,
    "boundary no empty line": NO_PARTS,
    "boundary too long": LIBERAL,
    "boundary unquoted colon": LIBERAL,
    "boundary quote open": LIBERAL,
    "type empty": DEFAULT_TYPE,
    "type only major": DEFAULT_TYPE,
    "type slash": DEFAULT_TYPE,
    "type no major": DEFAULT_TYPE,
    "type slashes": DEFAULT_TYPE,
    "type quoted": DEFAULT_TYPE,
    "type params only": DEFAULT_TYPE,
    "type only major image": UNKNOWN_TYPE,
    "type no subtype": UNKNOWN_TYPE,
    "type words": UNKNOWN_TYPE,
    "type multipart no subtype": (
        "RFC 2046 section 5.1.3: 'Any multipart subtypes that an implementation does not recognize must be treated as"
        " being of subtype mixed'"
    ),
    "param no equals": LIBERAL,
    "param no name": LIBERAL,
    "param specials": LIBERAL,
    "param slash": LIBERAL,
    "param quote open": LIBERAL,
    "param comma": LIBERAL,
    "param no semicolon": LIBERAL,
    "cte semicolon": LIBERAL,
    "cte no version": (
        "RFC 2045 section 4: without MIME-Version one 'may optionally choose to interpret the body of the message"
        " according to local conventions': as its fields say; Dovecot heeds Content-Type alone"
    ),
    "disposition empty": DISPOSITION,
    "disposition semicolon": DISPOSITION,
    "disposition quoted": DISPOSITION,
    "message part": CRLF_OF_BOUNDARY,
    "message no body": CRLF_OF_BOUNDARY,
    "digest nested": CRLF_OF_BOUNDARY,
    "message base64": NOT_ENCODED,
    "message quoted-printable": NOT_ENCODED,
}

OCTETS: dict[str, str] = {"subject NUL": NO_NUL, "head NUL": NO_NUL, "body NUL": NO_NUL}

FIELDS: dict[str, str] = {
    "subject NUL": NO_NUL,
    "head NUL": NO_NUL,
    "head only": NO_EMPTY_LINE,
    "head no line end": NO_EMPTY_LINE,
    "nothing": NO_EMPTY_LINE,
    "head no colon": FIELDS_ONLY,
    "head mbox line": FIELDS_ONLY,
    "head quoted mbox line": FIELDS_ONLY,
    "head garbage line": FIELDS_ONLY,
    "head fold first": FIELDS_ONLY,
    "head colon first": FIELDS_ONLY,
    "head blank in name": FIELDS_ONLY,
    "head 8bit name": FIELDS_ONLY,
    "head blank line with blanks": FIELDS_ONLY,
    "one octet": FIELDS_ONLY,
    "boundary no empty line": FIELDS_ONLY,
}

PARTS: dict[str, str] = {
    "subject NUL": NO_NUL,
    "head NUL": NO_NUL,
    "body NUL": NO_NUL,
    "mime nested": CRLF_OF_BOUNDARY,
    "mime deep": CRLF_OF_BOUNDARY,
    "boundary prefix inner": CRLF_OF_BOUNDARY,
    "boundary prefix outer": CRLF_OF_BOUNDARY,
    "boundary prefix dashes": CRLF_OF_BOUNDARY,
    "boundary prefix closing": CRLF_OF_BOUNDARY,
    "boundary same siblings": CRLF_OF_BOUNDARY,
    "message part": CRLF_OF_BOUNDARY,
    "message no body": CRLF_OF_BOUNDARY,
    "digest nested": CRLF_OF_BOUNDARY,
    "boundary missing": DEFAULT_TYPE,
    "boundary empty": STRUCTURE["boundary empty"],
    "boundary never comes": NO_PARTS,
    "boundary never comes alternative": NO_PARTS,
    "boundary only closes": NO_PARTS,
    "boundary no empty line": NO_PARTS,
    "boundary quote open": LIBERAL,
    "type multipart no subtype": STRUCTURE["type multipart no subtype"],
    "message base64": NOT_ENCODED,
    "message quoted-printable": NOT_ENCODED,
}

LINE_ENDS: dict[str, str] = {}

SENT = "RFC 5256 section 2.2: 'the term sent date refers to the date and time from the Date: header'"
DATE: dict[str, str] = {
    "date long ago": f"{SENT}, in 1960 too; Dovecot puts it last",
    "head spam": f"{SENT}, at the first second of 1970 too; Dovecot takes the arrival",
    "date three digits": "RFC 5322 section 4.3: 'any three digit year is encountered': 'adding 1900'",
    "date military zone": "RFC 5322 section 4.3: military zones 'SHOULD all be considered equivalent to -0000'",
    "date hour 25": (
        "RFC 5256 section 2.2: 'If the time is also invalid, the time SHOULD be treated as 00:00:00'; Dovecot takes the"
        " arrival"
    ),
    "date ctime": LIBERAL,
    "date dashes": LIBERAL,
    "date long month": LIBERAL,
}
NO_HALF = "what an address lacks is empty, and sorts so; Dovecot sorts it by its word MISSING_MAILBOX"
PEOPLE: dict[str, str] = {
    name: why for name, why in ENVELOPE.items() if name.startswith(("to ", "from ", "head NUL", "sender"))
} | {
    "to angle empty": NO_HALF,
    "to local missing": NO_HALF,
    "to words": NO_HALF,
    "to name latin1": LIBERAL,
}
WORDS = "RFC 2045 section 6.8: 'characters not found in Table 1 must be ignored by decoding software'"
SUBJECT: dict[str, str] = {
    "subject control": "RFC 5322 section 3.2.5: no control character belongs into an unstructured value",
    "subject split word": LIBERAL,
    "subject unknown charset": LIBERAL,
    "subject language": "RFC 2231 section 5: encoded-word := '=?' charset ['*' language] ...; Dovecot knows none",
    "subject bad base64": WORDS,
    "subject latin1": LIBERAL,
}
ORDER: dict[str, str] = {
    "head ids": (
        "RFC 5256 section 3: 'In the case of a dummy message, sort its children by sent date and then use the first"
        " child for the top-level sort': with equal dates its sequence number counts; Dovecot puts such a thread first"
    )
}
"""Of THREAD=REFS."""

NO_DATE = (
    "RFC 3501 section 6.4.4: SENTBEFORE is for 'messages whose Date: header ... is earlier': one that has none is not;"
    " Dovecot reads it as the first second of 1970"
)
_UNDATED = (
    "date none", "date empty", "date words", "date day 31 February", "date ISO", "head empty", "head no line end",
    "head no colon", "nothing", "one octet", "one empty line", "subject fold many blank",
)  # fmt: skip
SEARCH_SENT: dict[str, str] = dict.fromkeys(_UNDATED, NO_DATE) | {
    name: why for name, why in DATE.items() if name not in ("head spam", "date military zone")
}

AS_IT_STANDS = (
    "RFC 3501 section 6.4.4: 'Messages that contain the specified string', and RFC 5322 section 2.2.3 unfolds by"
    " removing line ends alone: blanks count; Dovecot looks through addresses and subjects that it has written anew"
)
SEARCH_HEADERS: dict[str, str] = {
    "to group": AS_IT_STANDS,
    "to group open": AS_IT_STANDS,
    "to comment before": AS_IT_STANDS,
    "to comma forgotten": AS_IT_STANDS,
    "subject fold blank": AS_IT_STANDS,
    "subject tabs": AS_IT_STANDS,
    "subject of thread 31": AS_IT_STANDS,
    "from daemon": NO_HALF,
    "from angle empty": NO_HALF,
    "subject sharp s": "RFC 5051 section 2 decomposes characters fully: a ligature is its letters",
    "head NUL": NO_NUL,
    "to name latin1": LIBERAL,
} | dict.fromkeys(
    (
        "to groups touching", "to group in group", "to comment open", "to quote open", "to angle two", "to angle words",
        "to words and address", "to semicolons", "to backslash", "subject split word", "subject unknown charset",
        "subject latin1",
    ),
    LIBERAL,
) | {name: SUBJECT[name] for name in ("subject language", "subject bad base64")}  # fmt: skip

ALL_OF_THE_BODY = (
    "RFC 3501 section 6.4.4: BODY finds a 'string in the body of the message': the header of a message inside it is in"
    " the body; Dovecot looks through texts alone"
)
SHOWN = "BODYSTRUCTURE says that it is a text (see there), and so it is looked through"
SEARCH_CONTENT: dict[str, str] = dict.fromkeys(
    (
        "message top", "message part", "message deep", "message same boundary", "message case", "message disposition",
        "digest", "digest unclosed", "digest nested", "report whole message",
    ),
    ALL_OF_THE_BODY,
) | {
    "head blank before colon": "RFC 5322 section 4.5.5: obs-subject = 'Subject' *WSP ':': the name is Subject",
    "message quoted-printable": NOT_ENCODED,
    "cte twice": FIRST_COUNTS,
} | dict.fromkeys(("cte unknown", "cte empty", "cte words", "body 8bit"), LIBERAL) | {
    name: f"{SHOWN}: {why}"
    for name, why in STRUCTURE.items()
    if name.startswith(("boundary ", "type "))
    and why != UNKNOWN_TYPE
    and name not in ("boundary empty", "boundary too long", "boundary unquoted colon")
} | {name: SEARCH_HEADERS[name] for name in (
    "subject split word", "subject unknown charset", "subject language", "subject latin1", "subject bad base64",
)}  # fmt: skip
