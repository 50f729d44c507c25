# Completion of valtrace(1) for fish. Commands and options are asked of the program itself, so that they
# are those of the version that is installed.

# The first column of a help text: "  -o, --output FILE  what it is" gives -o and --output.
function __valtrace_options
    $argv --help 2>/dev/null | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/   *[^-].*//' |
        grep -oE -- '(^|[ ,])--?[a-z][a-z-]*' | tr -d ' ,'
end

# Values of the option before the cursor of a command; fails when it takes none that are known.
function __valtrace_values
    switch $argv[1]
        case --format
            if contains -- $argv[2] run check-budget diff
                printf '%s\n' text github junit sarif
            else
                printf '%s\n' pprof folded speedscope heaptrack dhat massif callgrind firefox csv sqlite
            end
        case --metric
            printf '%s\n' leaked peak allocated count temporary
        case --by
            printf '%s\n' function line module site thread size
        case --heap
            echo libc
        case '*'
            return 1
    end
end

# How many words of a `valtrace run` come before its program.
function __valtrace_run_words
    set -l i 3
    while test $i -le (count $argv)
        switch $argv[$i]
            case --
                echo $i
                return
            case -o --output -d --directory --max-depth --allocator --sample --suppressions --format --children --min-events --snapshot-timeout --duration --max-size --keep
                set i (math $i + 1)
            case '-*'
            case '*'
                break
        end
        set i (math $i + 1)
    end
    echo (math $i - 1)
end

function __valtrace_files
    set -l traces (__fish_complete_suffix .vtr | string match -r '.*(?:\.vtr|/)$')
    if set -q traces[1]
        printf '%s\n' $traces
    else
        __fish_complete_path (commandline -ct)
    end
end

function __valtrace_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l n (count $words)
    if test $n -eq 1
        $words[1] --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  *\([^ ].*\)/\1\t\2/p'
        printf '%s\n' --help --version
    else if __valtrace_values $words[$n] $words[2]
    else if string match -q -- '-*' "$word"; and not contains -- -- $words
        __valtrace_options $words[1] $words[2]
    else if test $words[2] = run; and not contains -- $words[$n] -o --output -d --directory
        set -l rest $words "$word"
        complete -C (string join -- ' ' $rest[(math (__valtrace_run_words $words) + 1)..])
    else
        if test $words[2] = report -a $n -eq 2
            printf '%s\n' summary growth frees mismatches memory pages mappings leaks hot peak temporary sizes lifetimes threads timeline reallocs modules heaps
        end
        __valtrace_files
    end
end

complete -c valtrace -f -a '(__valtrace_complete)'
