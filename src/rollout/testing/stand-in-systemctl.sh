#!/bin/sh
# systemctl for machines where systemd does not run: drives the processes of each unit file in this script's own folder, as far as the node
# drivers and their tests ask. `FOLDER/systemctl show|start|stop|kill|reset-failed [--OPTION] UNIT`; what it knows is in FOLDER/UNIT.d.
# Called as `systemd-notify` it is what units tell it by: READY=1, RELOADING=1, and MAINPID= as from any process of a unit (NotifyAccess=all).
here=$(cd "$(dirname "$0")" && pwd); unit=; signal=TERM; who=all
if [ "$(basename "$0")" = systemd-notify ]; then verb=notify; unit=$(basename "$NOTIFY_SOCKET"); else verb=$1; shift; fi
for word; do
  case $word in
    --signal=SIG*) signal=${word#--signal=SIG} ;;
    --kill-who=*) who=${word#--kill-who=} ;;
    --* | *=*) ;;
    *) unit=$word ;;
  esac
done
file=$here/$unit; state=$file.d
[ -f "$file" ] || { [ "$verb" = show ] && echo "LoadState=not-found" && exit 0; echo "Unit $unit not found." >&2; exit 5; }
mkdir -p "$state"; exec 9> "$state/lock"; flock 9
note() { cut -d' ' -f1 /proc/uptime | tr -d . > "$state/changed"; }
say() { cat "$state/$1" 2>/dev/null; }
# Whether a process that belonged to the unit is still that one: ids are given out again.
ours() { grep -qsF "$here/" "/proc/$1/cmdline"; }
alive() { [ -s "$state/pid" ]; }

case $verb in
  start)
    alive && exit 0
    rm -f "$state/told" "$state/code" "$state/members" "$state/reloading"; cat /proc/sys/kernel/random/uuid > "$state/invocation"; note
    command=$(sed -n 's/^ExecStart=//p' "$file")
    # A process of its own session watches it, as systemd does, and outlives the one who asked. The unit ends with its main process, whichever
    # that is by then, and takes with it what is left of the others.
    NOTIFY_SOCKET=$here/$unit PATH=$here:$PATH setsid sh -c '
      lives() { read -r line < "/proc/$1/stat" && case ${line##*) } in [ZX]*) false ;; esac; } 2> /dev/null
      sh -c "echo \$\$ > \"$1/pid.new\"; echo \$\$ > \"$1/members\"; mv \"$1/pid.new\" \"$1/pid\"; exec $2" >> "$1/log" 2>&1
      code=$?
      read -r first < "$1/members"; read -r main < "$1/pid"
      while [ "$main" != "$first" ] && lives "$main"; do code=0; sleep 0.05; read -r main < "$1/pid"; done
      while read -r pid; do ! grep -qsF "${1%/*}/" "/proc/$pid/cmdline" || kill -KILL "$pid"; done < "$1/members"
      cut -d" " -f1 /proc/uptime | tr -d . > "$1/changed"; echo $code > "$1/code"; rm -f "$1/pid"
    ' watch "$state" "$command" < /dev/null > /dev/null 2>&1 9>&- &
    until alive || [ -s "$state/code" ]; do sleep 0.02; done ;;
  notify)
    for word; do
      case $word in
        MAINPID=*) [ "${word#MAINPID=}" = "$(say pid)" ] || {
          echo "${word#MAINPID=}" | tee -a "$state/members" > "$state/pid.new"; mv "$state/pid.new" "$state/pid"
        } ;;
        RELOADING=1) : > "$state/reloading"; note ;;
        READY=1) rm -f "$state/reloading"; note ;;
      esac
    done ;;
  stop)
    if alive && [ ! -e "$state/told" ]; then : > "$state/told"; note; kill -TERM "$(say pid)"; fi ;;
  kill)
    alive || { echo "Failed to kill unit $unit: no main process." >&2; exit 1; }
    if [ "$who" = main ]; then kill "-$signal" "$(say pid)"; exit; fi
    while read -r pid; do ! ours "$pid" || kill "-$signal" "$pid"; done < "$state/members" ;;
  reset-failed) ;;
  show)
    echo "LoadState=loaded"; echo "InvocationID=$(say invocation)"
    echo "StateChangeTimestampMonotonic=$(say changed)0000"
    echo "NotifyAccess=$(sed -n 's/^NotifyAccess=//p' "$file")"
    if alive; then
      echo "MainPID=$(say pid)"
      if [ -e "$state/told" ]; then echo "ActiveState=deactivating"; echo "SubState=stop-sigterm"
      elif [ -e "$state/reloading" ]; then echo "ActiveState=reloading"; echo "SubState=reload"
      else echo "ActiveState=active"; echo "SubState=running"; fi
    else
      code=$(say code); echo "MainPID=0"
      case $code in
        "") echo "ActiveState=inactive"; echo "SubState=dead"; echo "ExecMainCode=0" ;;
        0) echo "ActiveState=inactive"; echo "SubState=dead"; echo "ExecMainCode=1"; echo "ExecMainStatus=0" ;;
        *) echo "ActiveState=failed"; echo "SubState=failed"
          if [ "$code" -gt 128 ]; then echo "ExecMainCode=2"; echo "ExecMainStatus=$((code - 128))"
          else echo "ExecMainCode=1"; echo "ExecMainStatus=$code"; fi ;;
      esac
    fi ;;
  *) echo "Unknown command verb $verb." >&2; exit 1 ;;
esac
