"""The standard library: what a process has once."""

from __future__ import annotations

from polylambda.check.facts.fact import ALL, TASK, Theme, below, known, process_wide

_ENVIRONMENT = "pass the value as an argument, or keep it in a contextvars.ContextVar; a child process takes env="
_HANDLING = "handle signals once, at start; for a time limit asyncio.timeout()"
_DECIMAL = "with decimal.localcontext() as own: own.prec = ..."
_LOGGING = "configure logging once, at import; what differs goes into extra= or a LoggerAdapter"
_STREAMS = "print(..., file=buffer), or give the function the stream that it writes to"
_FILTERS = "set the filters once, at import"
_ONCE = "set it once, at import"
_PATCH = "pass what differs as an argument: patching is for tests"
_RANDOM = "{name}() seeds the generator that all invocations draw from"

_MAPPING = "__setitem__ __delitem__ __ior__ update setdefault pop popitem clear"
_LIST = "append insert extend remove pop clear sort reverse __setitem__ __delitem__ __iadd__"

THEME = Theme(
    facts=known(
        (
            process_wide(
                "LMI202",
                "{name}() changes the working directory of the process",
                "absolute paths; cwd= for a child process",
            ),
            "os.chdir os.fchdir contextlib.chdir",
        ),
        (
            process_wide("LMI203", "{name}() changes the environment of the process", _ENVIRONMENT),
            [
                *below("os", "putenv unsetenv"),
                *below("os.environ", _MAPPING),
                *below("os.environb", _MAPPING),
                "dotenv.load_dotenv",
            ],
        ),
        (
            process_wide("LMI203", "{name} is replaced for the whole process", _ENVIRONMENT),
            "os.environ= os.environb=",
        ),
        (
            process_wide(
                "LMI204",
                "os.umask() changes the mode of the files that other invocations create",
                "os.open(path, flags, mode), or os.chmod() of the file",
            ),
            "os.umask",
        ),
        (
            process_wide("LMI205", "{name}() sets what the process has only one of", _HANDLING),
            [
                *below("signal", "signal alarm setitimer siginterrupt set_wakeup_fd pthread_sigmask"),
                *below("asyncio.AbstractEventLoop", "add_signal_handler remove_signal_handler"),
            ],
        ),
        (
            process_wide(
                "LMI206",
                "locale.setlocale() changes the locale of the process",
                "a library that takes the locale as an argument, such as babel",
            ),
            "locale.setlocale",
        ),
        (
            process_wide(
                "LMI207", "{name}() changes the decimal context of whoever runs next in this thread", _DECIMAL
            ),
            [
                "decimal.setcontext",
                *below("decimal.Context", "clear_flags clear_traps traps.__setitem__ flags.__setitem__"),
            ],
        ),
        (
            process_wide("LMI207", "the {method} of the decimal context changes for whoever runs next", _DECIMAL),
            [
                *below("decimal.Context", "prec= rounding= Emin= Emax= capitals= clamp= traps= flags="),
                *below("decimal.DefaultContext", "prec= rounding= Emin= Emax= capitals= clamp= traps="),
            ],
        ),
        (
            process_wide("LMI208", _RANDOM, "a generator of its own: random.Random(seed)"),
            "random.seed random.setstate",
        ),
        (
            process_wide("LMI208", _RANDOM, "a generator of its own: numpy.random.default_rng(seed)"),
            "numpy.random.seed numpy.random.set_state",
        ),
        (
            process_wide("LMI208", _RANDOM, "a generator of its own: torch.Generator().manual_seed(seed)"),
            "torch.manual_seed torch.seed torch.cuda.manual_seed torch.cuda.manual_seed_all",
        ),
        (
            process_wide("LMI209", "{name}() reconfigures logging for all invocations", _LOGGING),
            [
                *below(
                    "logging",
                    """basicConfig disable setLogRecordFactory setLoggerClass captureWarnings addLevelName shutdown
                    config.dictConfig config.fileConfig config.listen""",
                ),
                *below("logging.Logger", "setLevel addHandler removeHandler addFilter removeFilter"),
                *below("logging.Logger.handlers", _LIST),
                *below("logging.Logger.filters", _LIST),
                "logging.StreamHandler.setStream",
                "structlog.configure",
            ],
        ),
        (
            process_wide("LMI209", "{name} reconfigures logging for all invocations", _LOGGING),
            [
                *below("logging", "root= raiseExceptions= lastResort="),
                *below("logging.Logger", "handlers= filters= propagate= disabled= level="),
            ],
        ),
        (
            process_wide("LMI210", "{name} is replaced for all invocations", _STREAMS),
            "sys.stdout= sys.stderr= sys.stdin=",
        ),
        (
            process_wide("LMI210", "{name}() replaces the stream for all invocations", _STREAMS),
            "contextlib.redirect_stdout contextlib.redirect_stderr",
        ),
        (
            process_wide("LMI211", "{name}() changes the warnings filters of the process", _FILTERS),
            [
                *below("warnings", "simplefilter filterwarnings resetwarnings catch_warnings"),
                *below("warnings.filters", _LIST),
            ],
        ),
        (
            process_wide("LMI211", "{name} is replaced for all invocations", _FILTERS),
            below("warnings", "showwarning= formatwarning= filters="),
        ),
        (
            process_wide(
                "LMI212",
                "socket.setdefaulttimeout() changes the time limit of every new socket of the process",
                "give the call its own time limit: timeout=",
            ),
            "socket.setdefaulttimeout",
        ),
        (
            process_wide(
                "LMI213",
                "{name}() changes how the whole process starts others",
                "multiprocessing.get_context(method), made once at import",
                ALL,
            ),
            below("multiprocessing", "set_start_method set_executable set_forkserver_preload"),
        ),
        (
            process_wide("LMI214", "{name} is changed for the whole interpreter", _ONCE),
            [
                *below("sys.path", _LIST),
                *below("sys.meta_path", _LIST),
                *below("sys.path_hooks", _LIST),
                *below("sys.argv", _LIST),
                *below("sys.modules", _MAPPING),
                *below("gc.callbacks", _LIST),
                *below(
                    "sys",
                    """path= modules= meta_path= path_hooks= excepthook= unraisablehook= displayhook= breakpointhook=
                    argv= tracebacklimit= dont_write_bytecode=""",
                ),
                *below("threading", "excepthook="),
                *below("tempfile", "tempdir="),
                *below("ssl", "_create_default_https_context="),
            ],
        ),
        (
            process_wide("LMI214", "{name}() changes the whole interpreter", _ONCE),
            [
                *below(
                    "sys",
                    """setrecursionlimit setswitchinterval settrace setprofile set_int_max_str_digits
                    set_asyncgen_hooks set_coroutine_origin_tracking_depth setdlopenflags addaudithook""",
                ),
                *below("threading", "settrace setprofile settrace_all_threads setprofile_all_threads stack_size"),
                *below("gc", "disable enable freeze unfreeze set_threshold set_debug"),
                *below(
                    "faulthandler",
                    "enable disable register unregister dump_traceback_later cancel_dump_traceback_later",
                ),
                *below("tracemalloc", "start stop clear_traces"),
                *below("asyncio", "set_event_loop_policy set_child_watcher"),
                *below("resource", "setrlimit prlimit"),
                *below(
                    "os",
                    """nice setpriority setuid setgid seteuid setegid setreuid setregid setresuid setresgid setgroups
                    setsid setpgid chroot sched_setaffinity sched_setscheduler initgroups""",
                ),
                *below("mimetypes", "init add_type"),
                *below("codecs", "register register_error unregister"),
                *below("csv", "register_dialect unregister_dialect field_size_limit"),
                *below("copyreg", "pickle constructor"),
                "time.tzset",
                "importlib.reload",
                "site.addsitedir",
                "atexit.register",
                "urllib.request.install_opener",
                "nest_asyncio.apply",
                "uvloop.install",
                "gevent.monkey.patch_all",
            ],
        ),
        (
            process_wide(
                "LMI214", "{name}() in the thread of the loop that runs", "leave the loop to the runtime", TASK
            ),
            "asyncio.set_event_loop",
        ),
        (
            process_wide("LMI214", "{name}() patches what all invocations use", _PATCH),
            "unittest.mock.patch unittest.mock.patch.object unittest.mock.patch.dict unittest.mock.patch.multiple",
        ),
        (
            process_wide("LMI214", "{name}() sets what all invocations use", _ONCE),
            [
                *below("pandas", "set_option reset_option"),
                *below("numpy", "seterr seterrcall set_printoptions"),
                *below("torch", "set_num_threads set_default_dtype set_default_device set_grad_enabled"),
                *below("matplotlib", "use rcParams.__setitem__ rcParams.update pyplot.style.use"),
                "sentry_sdk.init",
                "boto3.setup_default_session",
                "boto3.set_stream_logger",
            ],
        ),
        (
            process_wide("LMI214", "{name} is set for all invocations", "a client of its own that takes it"),
            """openai.api_key= openai.organization= openai.base_url= openai.api_base= openai.api_type= openai.api_version=
            stripe.api_key= stripe.api_version= stripe.default_http_client=""",
        ),
    ),
    gives={
        "decimal.getcontext": "decimal.Context",
        "logging.getLogger": "logging.Logger",
        "logging.Logger.getChild": "logging.Logger",
    },
    aliases={
        "logging.root": "logging.Logger",
        "logging.RootLogger": "logging.Logger",
        "mock.patch": "unittest.mock.patch",
    },
)
