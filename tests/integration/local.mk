# Programs under the shim, in both recording modes, against the oracle and the independent reader.
I := tests/integration
TAPS += $(addprefix $(I)/,reader.t oracle.t apis.t processes.t first.t threads.t names.t confined.t stack.t loader.t \
          planted.t mappings.t handover.t recycled.t kill.t exports.t kernels.t environment.t real.t collector.t outputs.t agree.t format.t complete.t golden.t foreign.t terminal.t roots.t started.t)
LONG += $(addprefix $(I)/,musl.t older_long.t handover_long.t)
