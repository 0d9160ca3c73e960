"""An SMTP server for tests: aiosmtpd with TLS, login and programmed faults.

Started by tests/kit/smtp.rs. One JSON object a line on standard input sets the faults (all at once), one a line on
standard output tells what happened: {"port"} once, {"set"} after each change, {"seen"} for each command of interest,
{"mail"} for each accepted letter. Ends with its standard input.
"""
import asyncio
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

OPTIONS = json.loads(sys.argv[1])
FAULTS = {}
FOREVER = 3600


def tell(**what):
    print(json.dumps(what), flush=True)


class Server(SMTP):
    greeted = False

    async def push(self, status):
        if not self.greeted:
            self.greeted = True
            if FAULTS.get("greeting") == "silence":
                tell(seen="accept")
                await asyncio.sleep(FOREVER)
            status = FAULTS.get("greeting", status)
        await super().push(status)

    async def smtp_DATA(self, arg):
        fault = FAULTS.get("data")
        if fault == "silence":
            tell(seen="data")
            await asyncio.sleep(FOREVER)
        if fault:
            await self.push(fault)
            return
        await super().smtp_DATA(arg)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if "mail" in FAULTS:
            return FAULTS["mail"]
        envelope.mail_from = address
        return "250 2.1.0 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        tell(seen="rcpt", address=address)
        fault = FAULTS.get("rcpt", {}).get(address)
        if fault:
            return fault
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        fault = FAULTS.get("dot")
        if fault == "silence":
            await asyncio.sleep(FOREVER)
        if fault == "drop":
            server.transport.abort()
            await asyncio.sleep(FOREVER)
        if fault:
            return fault
        tell(
            mail={
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "data": envelope.content.decode("ascii"),
                "tls": server.transport.get_extra_info("sslcontext") is not None,
                "login": bool(session.authenticated),
            }
        )
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and [data.login.decode(), data.password.decode()] == OPTIONS["login"]
    tell(seen="login", right=right)
    return AuthResult(success=right, handled=False, auth_data=data)


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    return made


def make():
    tls = OPTIONS["tls"]
    return Server(
        Handler(),
        hostname="mail.example",
        tls_context=context() if tls == "starttls" else None,
        require_starttls=tls == "starttls",
        authenticator=authenticate,
        auth_required=bool(OPTIONS.get("login")),
        auth_require_tls=tls == "starttls",
    )


def listen_to_tests(loop):
    for line in sys.stdin:
        faults = json.loads(line)

        def change(faults=faults):
            FAULTS.clear()
            FAULTS.update(faults)
            tell(set=True)

        loop.call_soon_threadsafe(change)
    os._exit(0)


async def main():
    loop = asyncio.get_running_loop()
    wrapper = context() if OPTIONS["tls"] == "implicit" else None
    server = await loop.create_server(make, "127.0.0.1", 0, ssl=wrapper)
    threading.Thread(target=listen_to_tests, args=(loop,), daemon=True).start()
    tell(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
