# The openstack and glance commands by their own entry points, each run in a fork of this process, which has loaded their libraries once:
# that is nine tenths of what a command computes. Takes a JSON object a line (id, program, args, env, out, err: files for what it writes),
# answers {id, code} when the command has ended. Ends, with all commands, at the end of its input.
import json
import os
import selectors
import signal
import sys
import traceback

import glanceclient.shell
import glanceclient.v2.client
import glanceclient.v2.shell
import openstack.connection
import openstackclient.identity.client
import openstackclient.image.client
import openstackclient.image.v2.image
import openstackclient.shell

entry_points = {"openstack": openstackclient.shell.main, "glance": glanceclient.shell.main}


def command(request):
    """Becomes the command: its own environment, arguments and files, and an input that nobody writes to. Does not return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        silent, writer = os.pipe()
        os.set_inheritable(writer, True)
        os.dup2(silent, 0)
        for path, descriptor in ((request["out"], 1), (request["err"], 2)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
        os.environ.clear()
        os.environ.update(request["env"])
        sys.argv = [request["program"], *request["args"]]
        code = entry_points[request["program"]]() or 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def reap(running):
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        answer = {"id": running.pop(pid), "code": os.waitstatus_to_exitcode(status)}
        os.write(1, (json.dumps(answer) + "\n").encode())


def serve():
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    ready = selectors.DefaultSelector()
    ready.register(0, selectors.EVENT_READ)
    ready.register(woken, selectors.EVENT_READ)
    running = {}
    rest = b""
    while True:
        for key, _ in ready.select():
            data = os.read(key.fd, 65536)
            if key.fd == woken:
                reap(running)
                continue
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    command(request)
                running[pid] = request["id"]


serve()
# Commands that still run are in our process group, which is our own.
os.killpg(0, signal.SIGKILL)
