#!/bin/bash
# Completion for bash: the function is called as readline would call it.
. tools/completion/valtrace.bash
valtrace=$PWD/${BUILD:-build}/bin/valtrace
n=0 failed=0
ok() { # status of the command before, name
  local status=$?
  n=$((n + 1))
  if [ $status = 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "# got: ${COMPREPLY[*]}"; failed=1; fi
}
# The answers for a line whose last word (maybe empty) is being typed.
try() {
  COMP_WORDS=("$valtrace" "$@")
  COMP_CWORD=$#
  COMPREPLY=()
  _valtrace
}
has() { # every argument is among the answers
  local word
  for word; do [[ " ${COMPREPLY[*]} " == *" $word "* ]] || return 1; done
}

try re
has report; ok "commands by their beginning"
try ""
has run report check-budget import --help --version && [ "${#COMPREPLY[@]}" = "$(($("$valtrace" --help | grep -c '^  [a-z]') + 2))" ]
ok "all commands"
try report --min
has --min-size --min-lifetime && [ ${#COMPREPLY[@]} = 2 ]; ok "options by their beginning"
for command in $("$valtrace" --help | sed -n 's/^  \([a-z][a-z-]*\)  *[^ ].*/\1/p'); do
  try "$command" --
  want=$("$valtrace" "$command" --help | grep -E '^ +-' | sed 's/   *[^- ].*//' | grep -oE -- '--[a-z][a-z-]+' | sort -u)
  [ -n "$want" ] && [ "$(printf '%s\n' "${COMPREPLY[@]}" | sort -u)" = "$want" ]; ok "$command: the long options of its help"
done
try export --format ""
formats="${COMPREPLY[*]}"
[ "$formats" = "$("$valtrace" export --help | sed -n '/^  --format F/{N;s/.*one of//;s/[,\n]/ /g;p}' | xargs)" ]; ok "formats are those of the help"
try diff --format ""
[ "${COMPREPLY[*]}" = "text github junit sarif" ]; ok "formats of a gate"
try flame --metric p
[ "${COMPREPLY[*]}" = peak ]; ok "metrics"
try report --by l
[ "${COMPREPLY[*]}" = line ]; ok "what to group by"
folder=$(mktemp -d)
touch "$folder/a.vtr" "$folder/b.txt" "$folder/program"
chmod +x "$folder/program"
cd "$folder" || exit 1
try report ""
has summary leaks timeline a.vtr && ! has b.txt; ok "report: views and traces"
try report leaks ""
has a.vtr && ! has leaks && ! has b.txt; ok "report VIEW: traces"
try import ""
has a.vtr && cd / && try import "$folder/b" && has "$folder/b.txt"; ok "other files when no trace fits"
try run -o x --no-children -- "$folder/pro"
has "$folder/program"; ok "run: programs"
try run -q "$folder/program" "$folder/b"
has "$folder/b.txt"; ok "run: the program's arguments"
rm -r "$folder"
echo "1..$n"
exit $failed
