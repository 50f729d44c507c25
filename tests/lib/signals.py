"""Signals as a test finds them must not decide what it sees: a shell that starts something in the background has it
ignore SIGINT, and what is started with SIGCHLD ignored learns of no status. Here all have their usual effect again, but
for those that Python itself ignores and gives back to its children."""
import signal

for _number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
