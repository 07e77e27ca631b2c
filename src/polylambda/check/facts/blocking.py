"""The standard library: what waits, and what computes."""

from __future__ import annotations

from polylambda.check.facts.fact import THREAD, Theme, below, blocks, heavy, known, makes_client, unpooled, unshareable

_IN_THREAD = "await asyncio.to_thread({name}, ...)"
_PROCESS = "await asyncio.create_subprocess_exec(...)"
_STREAMS = "asyncio.open_connection()"
_HTTP = "httpx.AsyncClient or aiohttp.ClientSession, made once"
_MAIL = "aiosmtplib"

_SPAWN = "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp"
_SMTP = "connect login sendmail send_message starttls helo ehlo noop quit rset mail rcpt data"

THEME = Theme(
    facts=known(
        (blocks("await asyncio.sleep(...)", "ASYNC251"), "time.sleep"),
        (blocks("no input in a handler", "ASYNC250"), "builtins.input"),
        (blocks("no input in a handler"), "getpass.getpass"),
        (blocks(_HTTP, "ASYNC210"), "urllib.request.urlopen"),
        (
            blocks(_HTTP),
            [
                "urllib.request.urlretrieve",
                "urllib.request.OpenerDirector.open",
                *below("http.client.HTTPConnection", "request getresponse connect endheaders send"),
                *below("http.client.HTTPSConnection", "request getresponse connect endheaders send"),
                "http.client.HTTPResponse.read",
                *below("xmlrpc.client", "ServerProxy.*"),
            ],
        ),
        (
            unshareable("one {name} for all threads mixes their answers", _HTTP, THREAD),
            "http.client.HTTPConnection http.client.HTTPSConnection xmlrpc.client.ServerProxy",
        ),
        (blocks(_PROCESS, "ASYNC220"), "subprocess.Popen os.popen"),
        (
            blocks(_PROCESS, "ASYNC221"),
            [
                *below("subprocess", "run call check_call check_output getoutput getstatusoutput"),
                *below("os", f"system {_SPAWN}"),
            ],
        ),
        (
            blocks("await process.wait(), of asyncio's subprocess", "ASYNC222"),
            below("os", "wait wait3 wait4 waitid waitpid"),
        ),
        (blocks("await process.communicate(), of asyncio's subprocess"), below("subprocess.Popen", "wait communicate")),
        (
            blocks(_STREAMS),
            [
                *below("socket", "create_connection"),
                *below("socket.socket", "connect accept recv recv_into recvfrom recvmsg sendall sendfile"),
                *below("ssl.SSLSocket", "connect accept recv recv_into sendall do_handshake"),
            ],
        ),
        (
            blocks("await asyncio.get_running_loop().getaddrinfo(...)"),
            below("socket", "getaddrinfo gethostbyname gethostbyname_ex gethostbyaddr getnameinfo getfqdn"),
        ),
        (blocks(_IN_THREAD), "ssl.get_server_certificate"),
        (
            blocks("asyncio.open_connection(), and let the event loop wait"),
            "select.select select.poll.poll select.epoll.poll",
        ),
        (
            blocks(_MAIL),
            [
                "smtplib.SMTP",
                "smtplib.SMTP_SSL",
                *below("smtplib.SMTP", _SMTP),
                *below("smtplib.SMTP_SSL", _SMTP),
            ],
        ),
        (unpooled("a connection for every invocation, or aiosmtplib.send()"), "smtplib.SMTP smtplib.SMTP_SSL"),
        (
            blocks(_IN_THREAD),
            """imaplib.IMAP4 imaplib.IMAP4_SSL imaplib.IMAP4.* imaplib.IMAP4_SSL.* poplib.POP3 poplib.POP3_SSL
            poplib.POP3.* poplib.POP3_SSL.* ftplib.FTP ftplib.FTP_TLS ftplib.FTP.* ftplib.FTP_TLS.*""",
        ),
        (
            unpooled("a connection for every invocation: they keep a state each"),
            "imaplib.IMAP4 imaplib.IMAP4_SSL poplib.POP3 poplib.POP3_SSL ftplib.FTP ftplib.FTP_TLS",
        ),
        (blocks(_IN_THREAD), "fcntl.flock fcntl.lockf signal.pause signal.sigwait signal.sigwaitinfo os.fsync"),
        (heavy(), below("hashlib", "pbkdf2_hmac scrypt")),
        (heavy(), below("zlib", "compress decompress")),
        (heavy(), below("gzip", "compress decompress")),
        (heavy(), below("bz2", "compress decompress")),
        (heavy(), below("lzma", "compress decompress")),
        (heavy(), below("compression.zstd", "compress decompress")),
        (
            heavy("await asyncio.to_thread(...) for the whole archive"),
            ["zipfile.ZipFile", *below("zipfile.ZipFile", "extractall extract read write writestr testzip")],
        ),
        (
            heavy("await asyncio.to_thread(...) for the whole archive"),
            below("tarfile.TarFile", "extractall extract add addfile"),
        ),
        (
            heavy(),
            """difflib.get_close_matches difflib.unified_diff difflib.context_diff difflib.ndiff
            difflib.SequenceMatcher.ratio difflib.SequenceMatcher.quick_ratio difflib.SequenceMatcher.get_opcodes
            difflib.SequenceMatcher.get_matching_blocks difflib.SequenceMatcher.find_longest_match
            difflib.HtmlDiff.make_file difflib.HtmlDiff.make_table difflib.Differ.compare""",
        ),
        (
            heavy(),
            below(
                "statistics",
                """mean geometric_mean harmonic_mean median median_low median_high median_grouped mode multimode quantiles
                stdev pstdev variance pvariance covariance correlation linear_regression""",
            ),
        ),
        (heavy(), "math.factorial crypt.crypt"),
        (heavy(), "xml.etree.ElementTree.fromstring xml.etree.ElementTree.parse xml.dom.minidom.parseString"),
        (makes_client("one opener, made at import"), "urllib.request.build_opener"),
    ),
    gives={
        "subprocess.Popen": "subprocess.Popen",
        "urllib.request.build_opener": "urllib.request.OpenerDirector",
        "http.client.HTTPConnection": "http.client.HTTPConnection",
        "http.client.HTTPSConnection": "http.client.HTTPSConnection",
        "http.client.HTTPConnection.getresponse": "http.client.HTTPResponse",
        "http.client.HTTPSConnection.getresponse": "http.client.HTTPResponse",
        "xmlrpc.client.ServerProxy": "xmlrpc.client.ServerProxy",
        "socket.socket": "socket.socket",
        "socket.create_connection": "socket.socket",
        "select.poll": "select.poll",
        "select.epoll": "select.epoll",
        "ssl.SSLContext.wrap_socket": "ssl.SSLSocket",
        "ssl.create_default_context": "ssl.SSLContext",
        "smtplib.SMTP": "smtplib.SMTP",
        "smtplib.SMTP_SSL": "smtplib.SMTP_SSL",
        "imaplib.IMAP4": "imaplib.IMAP4",
        "imaplib.IMAP4_SSL": "imaplib.IMAP4_SSL",
        "poplib.POP3": "poplib.POP3",
        "poplib.POP3_SSL": "poplib.POP3_SSL",
        "ftplib.FTP": "ftplib.FTP",
        "ftplib.FTP_TLS": "ftplib.FTP_TLS",
        "zipfile.ZipFile": "zipfile.ZipFile",
        "tarfile.open": "tarfile.TarFile",
        "tarfile.TarFile.open": "tarfile.TarFile",
        "tarfile.TarFile": "tarfile.TarFile",
        "difflib.SequenceMatcher": "difflib.SequenceMatcher",
        "difflib.HtmlDiff": "difflib.HtmlDiff",
        "difflib.Differ": "difflib.Differ",
    },
)
