#!/bin/sh
# systemctl for machines where systemd does not run: drives one process for each unit file in this script's own folder, as far as the node
# drivers and their tests ask. `FOLDER/systemctl show|start|stop|kill|reset-failed [--OPTION] UNIT`; what it knows is in FOLDER/UNIT.d.
verb=$1; shift; signal=TERM; unit=
for word; do
  case $word in
    --signal=SIG*) signal=${word#--signal=SIG} ;;
    --*) ;;
    *) unit=$word ;;
  esac
done
here=$(cd "$(dirname "$0")" && pwd); file=$here/$unit; state=$file.d
[ -f "$file" ] || { [ "$verb" = show ] && echo "LoadState=not-found" && exit 0; echo "Unit $unit not found." >&2; exit 5; }
mkdir -p "$state"; exec 9> "$state/lock"; flock 9
note() { cut -d' ' -f1 /proc/uptime | tr -d . > "$state/changed"; }
say() { cat "$state/$1" 2>/dev/null; }
alive() { [ -s "$state/pid" ]; }

case $verb in
  start)
    alive && exit 0
    rm -f "$state/told" "$state/code"; cat /proc/sys/kernel/random/uuid > "$state/invocation"; note
    command=$(sed -n 's/^ExecStart=//p' "$file")
    # A process of its own session watches it, as systemd does, and outlives the one who asked.
    setsid sh -c '
      sh -c "echo \$\$ > \"$1/pid.new\"; mv \"$1/pid.new\" \"$1/pid\"; exec $2" >> "$1/log" 2>&1
      code=$?; cut -d" " -f1 /proc/uptime | tr -d . > "$1/changed"; echo $code > "$1/code"; rm -f "$1/pid"
    ' watch "$state" "$command" < /dev/null > /dev/null 2>&1 9>&- &
    until alive || [ -s "$state/code" ]; do sleep 0.02; done ;;
  stop)
    if alive && [ ! -e "$state/told" ]; then : > "$state/told"; note; kill -TERM "$(say pid)"; fi ;;
  kill)
    alive || { echo "Failed to kill unit $unit: no main process." >&2; exit 1; }
    kill "-$signal" "$(say pid)" ;;
  reset-failed) ;;
  show)
    echo "LoadState=loaded"; echo "InvocationID=$(say invocation)"
    echo "StateChangeTimestampMonotonic=$(say changed)0000"
    if alive; then
      echo "MainPID=$(say pid)"
      if [ -e "$state/told" ]; then echo "ActiveState=deactivating"; echo "SubState=stop-sigterm"
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
