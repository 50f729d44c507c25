# Completion of valtrace(1) for bash. Commands and options are asked of the program itself, so that
# they are those of the version that is installed.

# The first column of a help text: "  -o, --output FILE  what it is" gives -o and --output.
_valtrace_options() {
  "$@" --help 2>/dev/null | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/   *[^-].*//' | grep -oE -- '(^|[ ,])--?[a-z][a-z-]*' |
    tr -d ' ,'
}

_valtrace_commands() {
  "$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  *[^ ].*/\1/p'
}

# Values of the option before the cursor of a command; fails when it takes none that are known.
_valtrace_values() {
  case $1:$2 in
  --format:run | --format:check-budget | --format:diff) echo text github junit sarif ;;
  --format:*) echo pprof folded speedscope heaptrack dhat massif callgrind firefox csv sqlite ;;
  --metric:*) echo leaked peak allocated count temporary ;;
  --by:*) echo function line module site thread size ;;
  --heap:*) echo libc ;;
  --leak-kind:*) echo lost definite indirect possible reachable live ;;
  *) return 1 ;;
  esac
}

_valtrace_views="summary growth frees mismatches memory pages mappings leaks hot peak temporary sizes lifetimes threads timeline reallocs modules heaps"

# The program that `valtrace run` starts, and its arguments, complete as they do alone.
_valtrace_program() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    --) i=$((i + 1)) && break ;;
    -o | --output | -d | --directory | --max-depth | --allocator | --sample | --suppressions | --format | --children | --min-events | --snapshot-timeout | --duration | --max-size | --keep) i=$((i + 1)) ;;
    -*) ;;
    *) break ;;
    esac
  done
  if ((i >= COMP_CWORD)); then
    mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}"; compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
  elif declare -F _command_offset >/dev/null; then
    _command_offset "$i"
  else
    mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
  fi
}

_valtrace() {
  local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]} values
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W "$(_valtrace_commands "$program") --help --version" -- "$word")
  elif values=$(_valtrace_values "${COMP_WORDS[COMP_CWORD - 1]}" "$command"); then
    mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
  elif [[ $word == -* && " ${COMP_WORDS[*]:2:COMP_CWORD-2} " != *" -- "* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_valtrace_options "$program" "$command")" -- "$word")
  elif [[ $command == run && ${COMP_WORDS[COMP_CWORD - 1]} != @(-o|--output|-d|--directory) ]]; then
    _valtrace_program
  else
    mapfile -t COMPREPLY < <(compgen -f -X '!*.vtr' -- "$word"; compgen -d -- "$word")
    [[ $command == report && $COMP_CWORD -eq 2 ]] &&
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$_valtrace_views" -- "$word")
    ((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -o filenames -F _valtrace valtrace
