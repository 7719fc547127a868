"""Jobs that make HTTP requests, against a server of the test's own."""

import http.server
import socket
import threading

from harness import check, test


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        server = self.server
        server.seen.append((self.command, self.path, dict(self.headers), body))
        path = self.path.split("?")[0]
        if path.startswith("http://"):
            return self.reply(200, b"through the proxy\n")
        if path == "/redirect":
            return self.reply(302, b"", {"Location": "/hello"})
        if path == "/loop":
            return self.reply(302, b"", {"Location": "/loop"})
        if path == "/big":
            return self.reply(200, b"x" * (4 << 20))
        if path == "/wait":
            server.release.wait(60)
            return self.reply(200, b"late\n")
        if path == "/echo":
            return self.reply(200, body)
        if path.startswith("/status/"):
            return self.reply(int(path[8:]), b"as you wish\n")
        if path == "/once":
            server.tries += 1
            return self.reply(200 if server.tries > 2 else 503, b"now\n")
        return self.reply(200, b"hello\n")

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def do_HEAD(self):
        self.server.seen.append((self.command, self.path, dict(self.headers), b""))
        self.reply(200, b"")

    def reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # a full backlog loses connections for seconds

    def handle_error(self, *_):
        pass


def web(t):
    server = Server(("127.0.0.1", 0), Handler)
    server.seen, server.tries, server.release = [], 0, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def close():
        server.release.set()
        server.shutdown()
        thread.join()
        server.server_close()

    t.cleanups.append(close)
    return server


@test
def the_answer_is_the_jobs_output(t):
    s, server = t.service(), web(t)
    for loop in ("multi", "single"):
        check(s.ctl("run", "--loop", loop, "http", server.url + "/x?a=1&b=%20").out == "hello\n", loop)
    check(server.seen[0][:2] == ("GET", "/x?a=1&b=%20"), f"{server.seen[0]}")


@test
def method_headers_and_body_are_sent_as_given(t):
    s, server = t.service(), web(t)
    result = s.ctl("run", "http", "--method", "PUT", "--header", "X-One: 1", "--header", "X-Two: two words", "--body", "some data",
                   server.url + "/echo")
    method, path, headers, body = server.seen[0]
    check(result.out == "some data" and (method, path, body) == ("PUT", "/echo", b"some data"), f"{server.seen[0]}\n{result}")
    check(headers["X-One"] == "1" and headers["X-Two"] == "two words", f"{headers}")
    s.ctl("run", "http", "--body", "d", server.url + "/echo")
    check(server.seen[1][0] == "POST", f"a body makes it POST: {server.seen[1]}")
    s.ctl("run", "http", "--method", "HEAD", server.url + "/")
    s.ctl("run", "http", "--method", "DELETE", server.url + "/")
    check([seen[0] for seen in server.seen[2:]] == ["HEAD", "DELETE"], f"{server.seen[2:]}")


@test
def status_400_and_above_fails_unless_expected(t):
    s, server = t.service(), web(t)
    result = s.ctl("run", "http", server.url + "/status/404", code=1)
    check("404" in result.err, f"{result}")
    s.ctl("run", "http", "--expect", "404", server.url + "/status/404")
    result = s.ctl("run", "http", "--expect", "201", server.url + "/", code=1)
    check("200" in result.err and "201" in result.err, f"what came and what was expected:\n{result}")


@test
def redirects_are_followed_when_asked_and_so_often(t):
    s, server = t.service(), web(t)
    check(s.ctl("run", "http", "--redirects", "3", server.url + "/redirect").out == "hello\n", "followed")
    s.ctl("run", "http", "--expect", "302", server.url + "/redirect")
    result = s.ctl("run", "http", "--redirects", "5", server.url + "/loop", code=1)
    check("redirect" in result.err.lower(), f"{result}")
    check(len([seen for seen in server.seen if seen[1] == "/loop"]) == 6, "the first and five more")


@test
def an_answer_that_is_too_large_fails_and_names_the_limit(t):
    s, server = t.service(), web(t)
    result = s.ctl("run", "http", "--max-bytes", "1MiB", server.url + "/big", code=1)
    check("1" in result.err and ("max" in result.err or "limit" in result.err or "larger" in result.err), f"{result.err}")
    check(len(s.ctl("run", "http", "--max-bytes", "5MiB", server.url + "/big").raw) == 4 << 20, "within the limit: whole")


@test
def a_proxy_is_used_when_given(t):
    s, server = t.service(), web(t)
    result = s.ctl("run", "http", "--proxy", server.url, "http://example.invalid/page")
    check(result.out == "through the proxy\n", f"{result}")
    check(server.seen[0][1] == "http://example.invalid/page", f"{server.seen[0]}")


@test
def the_services_environment_makes_no_exception_from_the_proxy(t):
    s, server = t.service(env={"no_proxy": "*", "NO_PROXY": "*"}), web(t)
    result = s.ctl("run", "http", "--proxy", server.url, "http://example.invalid/page")
    check(result.out == "through the proxy\n", f"{result}")


@test
def who_cannot_be_reached_is_named(t):
    s = t.service()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        result = s.ctl("run", "http", f"http://127.0.0.1:{port}/", code=1)
        check(str(port) in result.err, f"{result}")
    result = s.ctl("run", "http", "--timeout", "20s", "http://no-such-host.invalid/", code=None)
    check(result.code != 0 and "no-such-host.invalid" in result.err, f"{result}")


@test
def a_request_that_waits_can_be_cancelled_and_can_run_out_of_time(t):
    s, server = t.service(), web(t)
    for loop in ("multi", "single"):
        job = s.submit("--loop", loop, "http", server.url + "/wait")
        s.until_state(job, "running")
        s.ctl("cancel", str(job))
        check(s.outcome(job)["state"] == "cancelled", f"{s.show(job)}")
        job = s.submit("--loop", loop, "--timeout", "200ms", "http", server.url + "/wait")
        check(s.outcome(job)["state"] == "timed-out", f"{s.show(job)}")


@test
def a_retry_gets_through_when_the_server_is_back(t):
    s, server = t.service(), web(t)
    job = s.submit("--retries", "5", "--backoff", "10ms", "http", server.url + "/once")
    info = s.outcome(job)
    check(info["state"] == "succeeded" and info["attempt"] == 3, f"{info}")
    check(s.ctl("logs", str(job)).out.endswith("now\n"), f"{s.ctl('logs', str(job))}")


@test
def the_answer_goes_to_a_file_when_asked(t):
    s, server = t.service(), web(t)
    path = t.path("page")
    s.ctl("run", "--output", path, "http", server.url + "/big")
    with open(path, "rb") as file:
        check(file.read() == b"x" * (4 << 20), "the whole answer")


@test
def many_requests_run_at_once_on_either_runtime(t):
    s, server = t.service(), web(t)
    count = t.setup.scaled(150, 40)
    for loop in ("multi", "single"):
        first = len(s.jsonl("ls")) + 1
        s.ctl("batch", "-q", input='{"kind":"http","url":"%s/","loop":"%s","group":"%s","parallel":50}\n' % (server.url, loop, loop) * count)
        s.ctl("wait", f"{first}-{first + count - 1}", code=0, limit=90)
    check(len(server.seen) == 2 * count, f"{len(server.seen)}")


@test
def a_url_that_is_none_or_not_http_is_refused(t):
    s = t.service()
    for url in ("ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://127.0.0.1/", "/just/a/path", "http://"):
        result = s.ctl("submit", "http", url, code=2)
        check(url in result.err, f"{result}")


@test
def headers_that_say_where_a_request_ends_are_refused(t):
    s, server = t.service(), web(t)
    for header in ("Content-Length: 0", "transfer-encoding: chunked", "Connection: keep-alive"):
        result = s.ctl("submit", "http", "--header", header, "--body", "GET /other HTTP/1.1", server.url + "/", code=2)
        check(header in result.err and "cannot be set" in result.err, f"{result}")
    check(not server.seen, f"{server.seen}")


@test
def authorities_of_more_than_256_kib_are_refused(t):
    s, path = t.service(), t.path("ca.pem")
    with open(path, "w") as file:
        file.write("x" * ((256 << 10) + 1))
    result = s.ctl("run", "http", "--ca", path, "https://127.0.0.1:1/", code=1)
    check(f"ca: {path}: has more than 256 KiB" in result.err, f"{result}")
