"""Awkward MIME: boundaries, types, parameters, encodings, messages in messages, reports, and what other programs make.

Written with LF; :mod:`tests.support.awkward` makes CRLF of it.
"""

# ruff: noqa: E501  (a message a line)
from __future__ import annotations

HEAD = b"From: a@x.example\nSubject: mime\nDate: Mon, 5 Jan 2026 11:00:00 +0000\nMIME-Version: 1.0\n"


def _type(raw: bytes, body: bytes = b"x\n") -> bytes:
    return HEAD + b"Content-Type: " + raw + b"\n\n" + body


def _mixed(body: bytes, boundary: bytes = b"b", kind: bytes = b"mixed") -> bytes:
    return _type(b"multipart/" + kind + b"; boundary=" + boundary, body)


def _part(*lines: bytes) -> bytes:
    """A message with one part beside a plain one."""
    return _mixed(b"--b\n\ntext\n--b\n" + b"\n".join(lines) + b"\n\nbody\n--b--\n")


def _deep(levels: int) -> bytes:
    out = [HEAD]
    for n in range(levels):
        out.append(b"Content-Type: multipart/mixed; boundary=d%d\n\n--d%d\n" % (n, n))
    out.append(b"\ninnermost\n")
    out += [b"--d%d--\n" % n for n in reversed(range(levels))]
    return b"".join(out)


MESSAGES: dict[str, bytes] = {
    # sound multiparts
    "mime alternative": _mixed(b"pre\n--b\nContent-Type: text/plain; charset=utf-8\n\nt1\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+\n--b--\nepi\n", kind=b"alternative"),
    "mime nested": _mixed(b'--"a\n\nno\n--a b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\np\n--c\nContent-Type: text/html\n\nh\n--c--\n--a b\nContent-Type: image/png; name="x;y.png"\nContent-ID: <i@x>\nContent-Description: a pic\nContent-MD5: abc\nContent-Language: en, de\nContent-Location: http://x.example/\nContent-Transfer-Encoding: base64\n\nAAAA\n--a b--\n', b'"a b"'),
    "mime related": _type(b'multipart/related; boundary=b; type="text/html"; start="<1@x>"', b"--b\nContent-Type: text/html\nContent-ID: <1@x>\n\n<img src=cid:2@x>\n--b\nContent-Type: image/gif\nContent-ID: <2@x>\nContent-Disposition: inline; filename=a.gif\nContent-Transfer-Encoding: base64\n\nR0lG\n--b--\n"),
    "mime extended": HEAD + b"Content-Type: multipart/mixed; boundary=b; x=y\nContent-Disposition: inline; a=b\nContent-Language: fr\nContent-Location: there\nContent-ID: <m@x>\nContent-Description: all\n\n--b\n\nx\n--b--\n",
    "mime deep": _deep(20),
    "mime many parts": _mixed(b"".join(b"--b\n\npart %d\n" % n for n in range(300)) + b"--b--\n"),
    # boundaries
    "boundary unclosed": _mixed(b"--b\n\none\n--b\n\ntwo\n"),
    "boundary unclosed no line end": _mixed(b"--b\n\none\n--b\n\ntwo"),
    "boundary missing": _type(b"multipart/mixed", b"--b\n\none\n--b--\n"),
    "boundary never comes": _mixed(b"just\ntext\n"),
    "boundary never comes alternative": _mixed(b"just\ntext\n", kind=b"alternative"),
    "boundary only closes": _mixed(b"--b--\ntext\n"),
    "boundary empty": _type(b'multipart/mixed; boundary=""', b"--\n\none\n----\n"),
    "boundary blank end": _mixed(b"--b  \n\nx\n--b--\t\n"),
    "boundary trailing text": _mixed(b"--b\n\none\n--bx\n\ntwo\n--b--x\n\nthree\n--b--\n"),
    "boundary quoted blanks": _mixed(b"--b \n\nx\n--b --\n", b'"b "'),
    "boundary prefix inner": _mixed(b"--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a\n\ny\n--a--\n", b"a"),
    "boundary prefix outer": _mixed(b"--ab\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--ab\n\ny\n--ab--\n", b"ab"),
    "boundary prefix dashes": _mixed(b"--a\nContent-Type: multipart/mixed; boundary=a--\n\n--a--\n\nx\n--a----\n--a\n\ny\n--a--\n", b"a"),
    "boundary prefix closing": _mixed(b"--a-\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a-\n\ny\n--a---\n", b"a-"),
    "boundary same": _mixed(b"--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n\n--b--\n"),
    "boundary same siblings": _mixed(b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n1\n--c--\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\n2\n--c--\n--b--\n"),
    "boundary inner unclosed": _mixed(b"--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n--a--\n", b"a"),
    "boundary inner closed late": _mixed(b"--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n--c--\n--a--\n", b"a"),
    "boundary outer closes inner": _mixed(b"--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a--\n\nz\n--c--\n", b"a"),
    "boundary after close": _mixed(b"--b\n\none\n--b--\nepilogue\n--b\n\ntwo\n--b--\n"),
    "boundary twice": _type(b"multipart/mixed; boundary=b; boundary=c", b"--b\n\none\n--b--\n--c\n\ntwo\n--c--\n"),
    "boundary long": _mixed(b"--" + b"l" * 70 + b"\n\nx\n--" + b"l" * 70 + b"--\n", b"l" * 70),
    "boundary too long": _mixed(b"--" + b"l" * 200 + b"\n\nx\n--" + b"l" * 200 + b"--\n", b"l" * 200),
    "boundary odd signs": _mixed(b"--=_?'()+_,-./:=?\n\nx\n--=_?'()+_,-./:=?--\n", b"\"=_?'()+_,-./:=?\""),
    "boundary unquoted equals": _mixed(b"--=_b1\n\nx\n--=_b1--\n", b"=_b1"),
    "boundary unquoted colon": _mixed(b"--b:1\n\nx\n--b:1--\n", b"b:1"),
    "boundary quote open": _mixed(b"--b\n\nx\n--b--\n", b'"b'),
    "boundary comment": _mixed(b"--b\n\nx\n--b--\n", b"b (the boundary)"),
    "boundary escaped": _mixed(b'--a"b\n\nx\n--a"b--\n', b'"a\\"b"'),
    "boundary 8bit": _mixed("--größe\n\nx\n--größe--\n".encode(), "größe".encode()),
    "boundary in header": _mixed(b"--b\nContent-Type: text/plain\n--b\n\ntwo\n--b--\n"),
    "boundary at once": _mixed(b"--b\n--b\n\n--b--\n"),
    "boundary no empty line": HEAD + b"Content-Type: multipart/mixed; boundary=b\n--b\n\nx\n--b--\n",
    "boundary blank lines": _mixed(b"\n\n--b\n\n\n\none\n\n\n--b--\n\n\n"),
    "boundary continued": HEAD + b'Content-Type: multipart/mixed; boundary*0="b"; boundary*1="c"\n\n--bc\n\nx\n--bc--\n',
    "boundary folded": HEAD + b"Content-Type: multipart/mixed;\n\tboundary=\n b\n\n--b\n\nx\n--b--\n",
    "boundary case": _mixed(b"--B\n\nx\n--b\n\ny\n--B--\n", b"B"),
    "boundary indented": _mixed(b"--b\n\none\n --b\n\ntwo\n--b--\n"),
    # types
    "type none": HEAD + b"\nx\n",
    "type no version": b"From: a@x.example\nDate: Mon, 5 Jan 2026 11:00:00 +0000\nContent-Type: text/html\n\nx\n",
    "type version 2": b"From: a@x.example\nDate: Mon, 5 Jan 2026 11:00:00 +0000\nMIME-Version: 2.0\nContent-Type: text/html\n\nx\n",
    "type empty": _type(b""),
    "type semicolon": _type(b"text/plain;"),
    "type semicolons": _type(b"text/plain;; ;charset=utf-8;"),
    "type only major": _type(b"text"),
    "type only major image": _type(b"image"),
    "type slash": _type(b"/"),
    "type no subtype": _type(b"image/"),
    "type no major": _type(b"/plain"),
    "type slashes": _type(b"text/plain/html"),
    "type multipart no subtype": _type(b"multipart; boundary=b", b"--b\n\nx\n--b--\n"),
    "type words": _type(b"this is text"),
    "type quoted": _type(b'"text/plain"; charset=utf-8'),
    "type params only": _type(b"; charset=utf-8"),
    "type case": HEAD + b"CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8\nContent-Transfer-Encoding: Quoted-Printable\n\nx\n",
    "type comment": HEAD + b"Content-Type: text/plain (hi); charset=utf-8 (c)\nContent-Disposition: inline (x); filename=ab.txt\n\nx\n",
    "type comment first": _type(b"(hi) text (x) / (y) html (z); charset=utf-8"),
    "type spaces": _type(b"  text / html  ;  charset = utf-8  "),
    "type twice": HEAD + b"Content-Type: text/html\nContent-Type: text/plain; charset=utf-8\n\nx\n",
    "type x": _type(b"x-made/up"),
    "type 8bit": _type("text/plaïn; näme=é".encode()),
    "type unknown multipart": _mixed(b"--b\n\nx\n--b\n\ny\n--b--\n", kind=b"x-unknown"),
    "type multipart encoded": HEAD + b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--\n",
    "type multipart quoted-printable": HEAD + b"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n--b\n\nx\n--b--\n",
    "type long": _type(b"text/" + b"p" * 500 + b"; name=" + b"n" * 2000),
    # parameters
    "param escaped": _type(b'text/plain; charset=utf-8; format=flowed; x="a\\"b"'),
    "param empty": _type(b'text/plain; x=; y=""; charset=utf-8'),
    "param no equals": _type(b"text/plain; x; charset=utf-8"),
    "param no name": _type(b"text/plain; =x; charset=utf-8"),
    "param spaced value": _part(b"Content-Type: application/pdf; name=a b.pdf", b"Content-Disposition: attachment; filename=a b.pdf; size=3"),
    "param specials": _part(b"Content-Type: application/pdf; name=a(1)[2]@x?=.pdf"),
    "param slash": _part(b"Content-Type: application/x; name=a/b.pdf; x=text/plain"),
    "param quote open": _part(b'Content-Type: application/pdf; name="a.pdf'),
    "param quote missing": _part(b'Content-Type: application/pdf; name=a.pdf"; x=y'),
    "param single quotes": _part(b"Content-Type: application/pdf; name='a b.pdf'"),
    "param comma": _part(b"Content-Type: application/pdf, name=a.pdf; x=y"),
    "param no semicolon": _part(b'Content-Type: application/pdf name="a.pdf"'),
    "param touching": _part(b'Content-Type: application/pdf; name="a.pdf"x=y; z=w'),
    "param twice": _part(b"Content-Type: application/pdf; name=a; name=b"),
    "param case": _part(b"Content-Type: application/pdf; NAME=A.PDF"),
    "param 8bit": _part('Content-Type: application/pdf; name="größe.pdf"'.encode()),
    "param latin1": _part('Content-Type: application/pdf; name="größe.pdf"'.encode("latin-1")),
    "param encoded word": _part(b'Content-Type: application/pdf; name="=?utf-8?q?gr=C3=B6=C3=9Fe?=.pdf"', b"Content-Disposition: attachment; filename==?utf-8?q?gr=C3=B6=C3=9Fe?=.pdf"),
    "param continued": _part(b'Content-Type: application/x; url*0="ftp://"; url*1="x.example/a"'),
    "param continued filename": _part(b"Content-Type: application/x", b"Content-Disposition: attachment;\n filename*0=\"very \";\n filename*1=\"long \";\n filename*2=\"name.txt\""),
    "param continued backwards": _part(b"Content-Type: application/x; name*1=b; name*0=a; name*2=c"),
    "param continued gap": _part(b"Content-Type: application/x; name*0=a; name*2=c"),
    "param continued from 1": _part(b"Content-Type: application/x; name*1=a; name*2=b"),
    "param continued twice": _part(b"Content-Type: application/x; name*0=a; name*0=b; name*1=c"),
    "param continued and plain": _part(b"Content-Type: application/x; name=plain; name*0=con; name*1=tinued"),
    "param extended": _part(b"Content-Type: application/x; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"),
    "param extended filename": _part(b"Content-Type: image/png", b"Content-Disposition: attachment; filename*=utf-8''%c3%a9.png; size=3"),
    "param extended and plain": _part(b"Content-Type: image/png", b"Content-Disposition: attachment; filename=e.png; filename*=utf-8''%c3%a9.png"),
    "param extended continued": _part(b"Content-Type: application/x;\n title*0*=us-ascii'en'This%20is%20even%20more%20;\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n title*2=\"isn't it!\""),
    "param extended continued late": _part(b"Content-Type: application/x; name*0=plain; name*1*=%20coded"),
    "param extended continued percent": _part(b"Content-Type: application/x; name*0*=utf-8''100; name*1=\"% sure\""),
    "param extended broken": _part(b"Content-Type: application/x; name*=no-quotes%zz; other*=x''"),
    "param many": _part(b"Content-Type: application/x" + b"".join(b"; p%d=v%d" % (n, n) for n in range(60))),
    "param only": _part(b"Content-Disposition: attachment; filename"),
    # other fields of a part
    "cte comment": HEAD + b"Content-Type: text/plain\nContent-Transfer-Encoding: 8bit (c)\n\nx\n",
    "cte unknown": HEAD + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n#86)C\n`\nend\n",
    "cte empty": HEAD + b"Content-Transfer-Encoding:\n\nx\n",
    "cte words": HEAD + b"Content-Transfer-Encoding: 8 bit\n\nx\n",
    "cte semicolon": HEAD + b"Content-Transfer-Encoding: base64;\n\neA==\n",
    "cte quoted": HEAD + b'Content-Transfer-Encoding: "base64"\n\neA==\n',
    "cte no version": b"From: a@x.example\nDate: Mon, 5 Jan 2026 11:00:00 +0000\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=x\n\neA==\n",
    "cte twice": HEAD + b"Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\neA==\n",
    "cte bad base64": HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nZ3LDvMOf!ZQ=\n=junk\n",
    "cte bad quoted": HEAD + b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\ngr=C3=BC=C3=9Fe =ZZ =\nsoft= \nend=\n",
    "disposition empty": _part(b"Content-Disposition:"),
    "disposition semicolon": _part(b"Content-Disposition: ; filename=a"),
    "disposition unknown": _part(b"Content-Disposition: foo; bar=baz"),
    "disposition quoted": _part(b'Content-Disposition: "attachment"; filename=a'),
    "disposition twice": _part(b"Content-Disposition: inline", b"Content-Disposition: attachment"),
    "disposition dates": _part(b'Content-Disposition: attachment; filename="a b";\n modification-date="Mon, 5 Jan 2026 10:00:00 +0000"; size=10'),
    "language one": _part(b"Content-Language: en"),
    "language many": _part(b"Content-Language: en, de-CH ,fr (comment)"),
    "language empty": _part(b"Content-Language:"),
    "language words": _part(b"Content-Language: en de"),
    "id forms": _part(b"Content-ID: no-brackets@x", b"Content-Description: =?utf-8?q?d=C3=A9?=", b"Content-Location: a b\n c", b"Content-MD5:"),
    "id 8bit": _part("Content-ID: <é@x>".encode(), "Content-Description: größe".encode()),
    "part header broken": _part(b"Content-Type text/html", b"no colon", b"Content-Type: text/html"),
    "part header fold": _part(b" Content-Type: text/html"),
    # messages in messages
    "message top": _type(b"message/rfc822", b"Subject: in\nFrom: i@x.example\n\nbody\n"),
    "message part": _mixed(b"--b\nContent-Type: message/rfc822\n\nSubject: in\nTo: t@x.example\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\np\n--c\nContent-Type: text/html\n\nh\n--c--\n--b--\n"),
    "message deep": HEAD + b"Content-Type: message/rfc822\n\n" * 15 + b"Subject: innermost\n\nx\n",
    "message empty": _mixed(b"--b\nContent-Type: message/rfc822\n\n--b--\n"),
    "message no body": _mixed(b"--b\nContent-Type: message/rfc822\n\nSubject: cut\n--b\n\nnext\n--b--\n"),
    "message no header": _mixed(b"--b\nContent-Type: message/rfc822\n\n\nonly a body\n--b--\n"),
    "message base64": _mixed(b"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaW4KCng=\n--b--\n"),
    "message quoted-printable": _mixed(b"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nSubject: =3D in\n\nx\n--b--\n"),
    "message 8bit": _mixed("--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: ä\n\nä\n--b--\n".encode()),
    "message same boundary": _mixed(b"--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n"),
    "message case": _mixed(b"--b\nContent-Type: MESSAGE/RFC822\n\nSubject: in\n\nx\n--b--\n"),
    "message disposition": _mixed(b'--b\nContent-Type: message/rfc822; name="f.eml"\nContent-Disposition: attachment; filename="f.eml"\nContent-Description: forwarded\n\nSubject: in\n\nx\n--b--\n'),
    "message global": _mixed("--b\nContent-Type: message/global\n\nSubject: ä\n\nx\n--b--\n".encode()),
    "message partial": _type(b'message/partial; id="p@x"; number=1; total=2', b"Subject: whole\n\nfirst half\n"),
    "message external": _type(b'message/external-body; access-type=URL; URL="http://x.example/"', b"Content-Type: image/jpeg\nContent-ID: <e@x>\n\n"),
    "message http": _type(b"message/http", b"GET / HTTP/1.0\n\n"),
    "digest": _mixed(b"--b\n\nSubject: d1\n\nb1\n--b\n\nSubject: d2\nFrom: two@x.example\n\nb2\n--b--\n", kind=b"digest"),
    "digest other type": _mixed(b"--b\nContent-Type: text/plain\n\nplain\n--b\nContent-Description: default\n\nSubject: m\n\nx\n--b--\n", kind=b"digest"),
    "digest unclosed": _mixed(b"--b\n\nSubject: d1\n\nb1\n--b\n\nSubject: d2", kind=b"digest"),
    "digest nested": _mixed(b"--b\n\nContent-Type: multipart/digest; boundary=c\n\n--c\n\nSubject: inner\n\nx\n--c--\n--b--\n", kind=b"digest"),
    # reports and what programs make
    "report delivery": _type(b"multipart/report; report-type=delivery-status; boundary=b", b"This is a MIME message.\n\n--b\n\nbounce\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; y@x.example\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: text/rfc822-headers\n\nSubject: z\n\n--b--\n"),
    "report whole message": _type(b"multipart/report; report-type=delivery-status; boundary=b", b"--b\nContent-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\nbounce\n--b\nContent-Description: Undelivered Message\nContent-Type: message/rfc822\n\nFrom: o@x.example\nSubject: original\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nold\n--c--\n\n--b--\n"),
    "report disposition": _type(b"multipart/report; report-type=disposition-notification; boundary=b", b"--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n"),
    "report feedback": _type(b"multipart/report; report-type=feedback-report; boundary=b", b"--b\n\nabuse\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b\nContent-Type: message/rfc822\n\nSubject: spam\n\nx\n--b--\n"),
    "signed pgp": _type(b'multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"; boundary="b"', b"--b\nContent-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\n\nsigned \n\n--b\nContent-Type: application/pgp-signature; name=\"signature.asc\"\nContent-Description: OpenPGP digital signature\n\n-----BEGIN PGP SIGNATURE-----\n\niQE=\n-----END PGP SIGNATURE-----\n\n--b--\n"),
    "encrypted pgp": _type(b'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n--\n-----END PGP MESSAGE-----\n--b--\n"),
    "inline pgp": _type(b"text/plain", b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- --dash\n-----BEGIN PGP SIGNATURE-----\n"),
    "smime signed": _type(b'multipart/signed; protocol="application/x-pkcs7-signature"; micalg=sha1; boundary="----B1"', b"This is an S/MIME signed message\n\n------B1\nContent-Type: text/plain\n\nsigned\n------B1\nContent-Type: application/x-pkcs7-signature; name=\"smime.p7s\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"smime.p7s\"\n\nMIIB\n------B1--\n\n"),
    "smime enveloped": HEAD + b'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="smime.p7m"\n\nMIIB\n',
    "calendar": _mixed(b"--b\nContent-Type: text/plain\n\ninvite\n--b\nContent-Type: text/calendar; method=REQUEST; charset=\"UTF-8\"\n\nBEGIN:VCALENDAR\nEND:VCALENDAR\n--b--\n", kind=b"alternative"),
    "tnef": _mixed(b'--b\nContent-Type: text/plain; charset="iso-8859-1"\nContent-Transfer-Encoding: quoted-printable\n\nsee =E9\n--b\nContent-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="winmail.dat"\n\neJ8+IgA=\n--b--\n'),
    "uuencode": _type(b"text/plain", b"see\n\nbegin 644 a.txt\n#86)C\n`\nend\n"),
    "yenc": _type(b"text/plain", b"=ybegin line=128 size=3 name=a\n\xab\xac\xad\n=yend size=3\n"),
    "apple double": _type(b"multipart/appledouble; boundary=b", b"--b\nContent-Type: application/applefile; name=\"%a\"\nContent-Transfer-Encoding: base64\n\nAAUWBw==\n--b\nContent-Type: image/jpeg; x-mac-type=4A504547; name=a\n\nx\n--b--\n"),
    "html only": _type(b"text/html; charset=windows-1252", b"<!DOCTYPE html><style>p{}</style><p>gr\xfc\xdfe &amp; more\n"),
    "flowed": _type(b"text/plain; charset=utf-8; format=flowed; delsp=yes", b"a line \nflows \n-- \nsig\n"),
    "long line": _type(b"text/plain", b"l" * 100_000 + b"\n"),
    "body 8bit": _type(b"text/plain", bytes(range(0x80, 0x100)) + b"\n"),
    "body NUL": _type(b"application/octet-stream", b"a\0b\n"),
    "body dots": _type(b"text/plain", b".\n..\n.leading\nFrom here\n>From there\n"),
    "body no line end": _type(b"text/plain", b"no end"),
    "body empty": _type(b"text/plain", b""),
    "body blank lines": _type(b"text/plain", b"\n\n\n"),
}  # fmt: skip
