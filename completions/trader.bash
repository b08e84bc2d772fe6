# Completion of trader for bash, generated from its commands: `trader completions bash`.
# Install: source it, or copy it to /usr/share/bash-completion/completions/trader

_trader_at() {  # AT: what may follow there
    below="" options=""
    case "$1" in
        "") below="init run run-cycle preview backtest parity sweep walk-forward montecarlo compare trials compile validate-config doctor status metrics positions orders trades pnl export why replay what-if pause resume arm disarm check-clock rotate-secrets kill liquidate close-all-positions reconcile promote support-bundle backup restore retain install-units completions schema config decisions risk gate halt breaker alerts queue policy runbook incident shadow audit bans paper size prove sim data"
            options="--version --state --config --mode --venue --log --json --help" ;;
        " init") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " run") below=""
            options="--cycles --from --to --data --seed --equity --metrics-port --state --config --mode --venue --log --json --help" ;;
        " run-cycle") below=""
            options="--from --to --data --seed --equity --plan --state --config --mode --venue --log --json --help" ;;
        " preview") below=""
            options="--from --to --data --seed --equity --out --state --config --mode --venue --log --json --help" ;;
        " backtest") below=""
            options="--from --to --data --seed --deposit --slow --out --full --html --baseline --tolerance --min-trades --write-baseline --reason --check-lookahead --state --config --mode --venue --log --json --help" ;;
        " parity") below=""
            options="--cycles --from --to --data --seed --state --config --mode --venue --log --json --help" ;;
        " sweep") below=""
            options="--grid --random --range --optuna --objective --engine --jobs --resume --seed --from --to --data --out --state --config --mode --venue --log --json --help" ;;
        " walk-forward") below=""
            options="--train --test --grid --random --range --anchored --rolling --purge --embargo --objective --engine --jobs --resume --seed --from --to --data --out --state --config --mode --venue --log --json --help" ;;
        " montecarlo") below=""
            options="--bars --paths --block --ruin --engine --jobs --resume --seed --from --to --data --out --state --config --mode --venue --log --json --help" ;;
        " compare") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " trials") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " compile") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " validate-config") below=""
            options="--equity --effective --schema --state --config --mode --venue --log --json --help" ;;
        " doctor") below=""
            options="--gate --drill --state --config --mode --venue --log --json --help" ;;
        " status") below=""
            options="--oneline --watch --latency --state --config --mode --venue --log --json --help" ;;
        " metrics") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " positions") below=""
            options="--symbol --state --config --mode --venue --log --json --help" ;;
        " orders") below=""
            options="--all --since --symbol --state --config --mode --venue --log --json --help" ;;
        " trades") below=""
            options="--since --symbol --stats --state --config --mode --venue --log --json --help" ;;
        " pnl") below=""
            options="--by --since --state --config --mode --venue --log --json --help" ;;
        " export") below=""
            options="--csv --what --method --since --force --state --config --mode --venue --log --json --help" ;;
        " why") below=""
            options="--cycle --all --no-trade --since --symbol --state --config --mode --venue --log --json --help" ;;
        " replay") below=""
            options="--all --state --config --mode --venue --log --json --help" ;;
        " what-if") below=""
            options="--set --state --config --mode --venue --log --json --help" ;;
        " pause") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " resume") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " arm") below=""
            options="--max-equity --expires --yes --state --config --mode --venue --log --json --help" ;;
        " disarm") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " check-clock") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " rotate-secrets") below=""
            options="--status --stage --verify --activate --rollback --file --state --config --mode --venue --log --json --help" ;;
        " kill") below=""
            options="--reason --flatten --all --state --config --mode --venue --log --json --help" ;;
        " liquidate") below=""
            options="--plan --yes --asset --from --to --data --seed --state --config --mode --venue --log --json --help" ;;
        " close-all-positions") below=""
            options="--plan --yes --asset --from --to --data --seed --state --config --mode --venue --log --json --help" ;;
        " reconcile") below=""
            options="--plan --apply --reason --dust --data --seed --state --config --mode --venue --log --json --help" ;;
        " promote") below=""
            options="--backtest --record --state --config --mode --venue --log --json --help" ;;
        " support-bundle") below=""
            options="--out --state --config --mode --venue --log --json --help" ;;
        " backup") below=""
            options="--to --keep --list --state --config --mode --venue --log --json --help" ;;
        " restore") below=""
            options="--verify --yes --state --config --mode --venue --log --json --help" ;;
        " retain") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " install-units") below=""
            options="--user --dry-run --to --program --state --config --mode --venue --log --json --help" ;;
        " completions") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " schema") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " config") below="diff"
            options="--state --config --mode --venue --log --json --help" ;;
        " config diff") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " decisions") below="list show verify export"
            options="--state --config --mode --venue --log --json --help" ;;
        " decisions list") below=""
            options="--since --symbol --verdict --state --config --mode --venue --log --json --help" ;;
        " decisions show") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " decisions verify") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " decisions export") below=""
            options="--since --state --config --mode --venue --log --json --help" ;;
        " risk") below="var corr exposure"
            options="--state --config --mode --venue --log --json --help" ;;
        " risk var") below=""
            options="--from --to --data --seed --equity --state --config --mode --venue --log --json --help" ;;
        " risk corr") below=""
            options="--from --to --data --seed --equity --all --state --config --mode --venue --log --json --help" ;;
        " risk exposure") below=""
            options="--from --to --data --seed --equity --state --config --mode --venue --log --json --help" ;;
        " gate") below="explain"
            options="--state --config --mode --venue --log --json --help" ;;
        " gate explain") below=""
            options="--from --to --data --seed --equity --state --config --mode --venue --log --json --help" ;;
        " halt") below="show trip ack reset history"
            options="--state --config --mode --venue --log --json --help" ;;
        " halt show") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " halt trip") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " halt ack") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " halt reset") below=""
            options="--user --reason --force --state --config --mode --venue --log --json --help" ;;
        " halt history") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " breaker") below="list reset"
            options="--state --config --mode --venue --log --json --help" ;;
        " breaker list") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " breaker reset") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " alerts") below="test list ack raise drain"
            options="--state --config --mode --venue --log --json --help" ;;
        " alerts test") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " alerts list") below=""
            options="--all --state --config --mode --venue --log --json --help" ;;
        " alerts ack") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " alerts raise") below=""
            options="--subject --state --config --mode --venue --log --json --help" ;;
        " alerts drain") below=""
            options="--once --state --config --mode --venue --log --json --help" ;;
        " queue") below="list cancel"
            options="--state --config --mode --venue --log --json --help" ;;
        " queue list") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " queue cancel") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " policy") below="show set profile diff history rollback"
            options="--state --config --mode --venue --log --json --help" ;;
        " policy show") below=""
            options="--effective --state --config --mode --venue --log --json --help" ;;
        " policy set") below=""
            options="--reason --expires --expect-version --user --state --config --mode --venue --log --json --help" ;;
        " policy profile") below=""
            options="--reason --expires --expect-version --user --state --config --mode --venue --log --json --help" ;;
        " policy diff") below=""
            options="--risk --state --config --mode --venue --log --json --help" ;;
        " policy history") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " policy rollback") below=""
            options="--reason --expires --expect-version --user --state --config --mode --venue --log --json --help" ;;
        " runbook") below="list show"
            options="--state --config --mode --venue --log --json --help" ;;
        " runbook list") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " runbook show") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " incident") below="start note list timeline close"
            options="--state --config --mode --venue --log --json --help" ;;
        " incident start") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " incident note") below=""
            options="--number --state --config --mode --venue --log --json --help" ;;
        " incident list") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " incident timeline") below=""
            options="--number --state --config --mode --venue --log --json --help" ;;
        " incident close") below=""
            options="--number --state --config --mode --venue --log --json --help" ;;
        " shadow") below="report"
            options="--state --config --mode --venue --log --json --help" ;;
        " shadow report") below=""
            options="--since --write-config --state --config --mode --venue --log --json --help" ;;
        " audit") below="verify anchor export"
            options="--state --config --mode --venue --log --json --help" ;;
        " audit verify") below=""
            options="--anchors --state --config --mode --venue --log --json --help" ;;
        " audit anchor") below=""
            options="--to --state --config --mode --venue --log --json --help" ;;
        " audit export") below=""
            options="--out --since --force --state --config --mode --venue --log --json --help" ;;
        " bans") below="add list lift"
            options="--state --config --mode --venue --log --json --help" ;;
        " bans add") below=""
            options="--reason --hours --state --config --mode --venue --log --json --help" ;;
        " bans list") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " bans lift") below=""
            options="--reason --state --config --mode --venue --log --json --help" ;;
        " paper") below="deposit withdraw reset"
            options="--state --config --mode --venue --log --json --help" ;;
        " paper deposit") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " paper withdraw") below=""
            options="--state --config --mode --venue --log --json --help" ;;
        " paper reset") below=""
            options="--yes --state --config --mode --venue --log --json --help" ;;
        " size") below="calc"
            options="--state --config --mode --venue --log --json --help" ;;
        " size calc") below=""
            options="--equity --conviction-pct --stop-pct --tier --regime --sizer --leverage --venue-leverage --exposure --asset-exposure --cash --price --lot --drawdown-pct --volatility-pct --range-pct --wins --losses --gained --lost --pair-wins --pair-losses --budget-pct --max-position --min-position --max-stop-loss-pct --max-exposure-pct --max-asset-pct --explain --state --config --mode --venue --log --json --help" ;;
        " prove") below="crash failing sigkill sim soak kills parity planted"
            options="--state --config --mode --venue --log --json --help" ;;
        " prove crash") below=""
            options="--scene --sample --only --out --work --state --config --mode --venue --log --json --help" ;;
        " prove failing") below=""
            options="--scene --sample --only --out --work --state --config --mode --venue --log --json --help" ;;
        " prove sigkill") below=""
            options="--scene --sample --only --out --work --state --config --mode --venue --log --json --help" ;;
        " prove sim") below=""
            options="--seeds --cycles --seed --workers --keep --until-wrong --work --out --state --config --mode --venue --log --json --help" ;;
        " prove soak") below=""
            options="--cycles --work --out --state --config --mode --venue --log --json --help" ;;
        " prove kills") below=""
            options="--kills --only --out --work --state --config --mode --venue --log --json --help" ;;
        " prove parity") below=""
            options="--data --from --cycles --out --work --state --config --mode --venue --log --json --help" ;;
        " prove planted") below=""
            options="--only --lives --out --work --state --config --mode --venue --log --json --help" ;;
        " sim") below="cert serve"
            options="--state --config --mode --venue --log --json --help" ;;
        " sim cert") below=""
            options="--ed25519 --state --config --mode --venue --log --json --help" ;;
        " sim serve") below=""
            options="--port --tls --key --realtime --data --from --to --speed --faults --seed --truth --state --config --mode --venue --log --json --help" ;;
        " data") below="import list check fetch"
            options="--state --config --mode --venue --log --json --help" ;;
        " data import") below=""
            options="--data --pair --granularity --dry-run --state --config --mode --venue --log --json --help" ;;
        " data list") below=""
            options="--data --state --config --mode --venue --log --json --help" ;;
        " data check") below=""
            options="--data --pair --from --to --state --config --mode --venue --log --json --help" ;;
        " data fetch") below=""
            options="--pairs --all-tiers --granularity --from --to --out --state --config --mode --venue --log --json --help" ;;
    esac
}

_trader_value() {  # AT OPTION: what a value may be
    case "$1 $2" in
        " run --cycles") :; return ;;
        " run --from") :; return ;;
        " run --to") :; return ;;
        " run --data") compopt -o dirnames; return ;;
        " run --seed") :; return ;;
        " run --equity") :; return ;;
        " run --metrics-port") :; return ;;
        " run-cycle --from") :; return ;;
        " run-cycle --to") :; return ;;
        " run-cycle --data") compopt -o dirnames; return ;;
        " run-cycle --seed") :; return ;;
        " run-cycle --equity") :; return ;;
        " run-cycle --plan") compopt -o default; return ;;
        " preview --from") :; return ;;
        " preview --to") :; return ;;
        " preview --data") compopt -o dirnames; return ;;
        " preview --seed") :; return ;;
        " preview --equity") :; return ;;
        " preview --out") compopt -o default; return ;;
        " backtest --from") :; return ;;
        " backtest --to") :; return ;;
        " backtest --data") compopt -o dirnames; return ;;
        " backtest --seed") :; return ;;
        " backtest --deposit") :; return ;;
        " backtest --out") compopt -o default; return ;;
        " backtest --html") compopt -o default; return ;;
        " backtest --baseline") compopt -o default; return ;;
        " backtest --tolerance") :; return ;;
        " backtest --min-trades") :; return ;;
        " backtest --write-baseline") compopt -o default; return ;;
        " backtest --reason") :; return ;;
        " parity --cycles") :; return ;;
        " parity --from") :; return ;;
        " parity --to") :; return ;;
        " parity --data") compopt -o dirnames; return ;;
        " parity --seed") :; return ;;
        " sweep --grid") :; return ;;
        " sweep --random") :; return ;;
        " sweep --range") :; return ;;
        " sweep --optuna") :; return ;;
        " sweep --objective") :; return ;;
        " sweep --engine") :; return ;;
        " sweep --jobs") :; return ;;
        " sweep --resume") compopt -o dirnames; return ;;
        " sweep --seed") :; return ;;
        " sweep --from") :; return ;;
        " sweep --to") :; return ;;
        " sweep --data") compopt -o dirnames; return ;;
        " sweep --out") compopt -o default; return ;;
        " walk-forward --train") :; return ;;
        " walk-forward --test") :; return ;;
        " walk-forward --grid") :; return ;;
        " walk-forward --random") :; return ;;
        " walk-forward --range") :; return ;;
        " walk-forward --purge") :; return ;;
        " walk-forward --embargo") :; return ;;
        " walk-forward --objective") :; return ;;
        " walk-forward --engine") :; return ;;
        " walk-forward --jobs") :; return ;;
        " walk-forward --resume") compopt -o dirnames; return ;;
        " walk-forward --seed") :; return ;;
        " walk-forward --from") :; return ;;
        " walk-forward --to") :; return ;;
        " walk-forward --data") compopt -o dirnames; return ;;
        " walk-forward --out") compopt -o default; return ;;
        " montecarlo --paths") :; return ;;
        " montecarlo --block") :; return ;;
        " montecarlo --ruin") :; return ;;
        " montecarlo --engine") :; return ;;
        " montecarlo --jobs") :; return ;;
        " montecarlo --resume") compopt -o dirnames; return ;;
        " montecarlo --seed") :; return ;;
        " montecarlo --from") :; return ;;
        " montecarlo --to") :; return ;;
        " montecarlo --data") compopt -o dirnames; return ;;
        " montecarlo --out") compopt -o default; return ;;
        " compare ") compopt -o default; return ;;
        " validate-config --equity") :; return ;;
        " validate-config --schema") last="app policy universe signals strategies"; return ;;
        " positions --symbol") :; return ;;
        " orders --since") :; return ;;
        " orders --symbol") :; return ;;
        " trades --since") :; return ;;
        " trades --symbol") :; return ;;
        " pnl --by") last="day symbol strategy"; return ;;
        " pnl --since") :; return ;;
        " export --csv") compopt -o default; return ;;
        " export --what") last="fills trades lots"; return ;;
        " export --method") last="FIFO LIFO HIFO"; return ;;
        " export --since") :; return ;;
        " why --cycle") :; return ;;
        " why --since") :; return ;;
        " why --symbol") :; return ;;
        " why ") :; return ;;
        " replay ") :; return ;;
        " what-if --set") :; return ;;
        " what-if ") :; return ;;
        " pause --reason") :; return ;;
        " resume --reason") :; return ;;
        " arm --max-equity") :; return ;;
        " arm --expires") last="30m 24h 7d"; return ;;
        " disarm --reason") :; return ;;
        " rotate-secrets --file") compopt -o default; return ;;
        " kill --reason") :; return ;;
        " liquidate --plan") compopt -o default; return ;;
        " liquidate --asset") :; return ;;
        " liquidate --from") :; return ;;
        " liquidate --to") :; return ;;
        " liquidate --data") compopt -o dirnames; return ;;
        " liquidate --seed") :; return ;;
        " close-all-positions --plan") compopt -o default; return ;;
        " close-all-positions --asset") :; return ;;
        " close-all-positions --from") :; return ;;
        " close-all-positions --to") :; return ;;
        " close-all-positions --data") compopt -o dirnames; return ;;
        " close-all-positions --seed") :; return ;;
        " reconcile --plan") compopt -o default; return ;;
        " reconcile --reason") :; return ;;
        " reconcile --data") compopt -o dirnames; return ;;
        " reconcile --seed") :; return ;;
        " promote --backtest") compopt -o default; return ;;
        " support-bundle --out") compopt -o default; return ;;
        " backup --to") compopt -o dirnames; return ;;
        " backup --keep") :; return ;;
        " restore ") compopt -o default; return ;;
        " install-units --to") compopt -o dirnames; return ;;
        " install-units --program") compopt -o default; return ;;
        " completions ") last="bash fish zsh"; return ;;
        " schema ") :; return ;;
        " config diff ") compopt -o default; return ;;
        " decisions list --since") :; return ;;
        " decisions list --symbol") :; return ;;
        " decisions list --verdict") last="OK REGIME no_signal"; return ;;
        " decisions show ") :; return ;;
        " decisions export --since") :; return ;;
        " decisions export ") compopt -o dirnames; return ;;
        " risk var --from") :; return ;;
        " risk var --to") :; return ;;
        " risk var --data") compopt -o dirnames; return ;;
        " risk var --seed") :; return ;;
        " risk var --equity") :; return ;;
        " risk corr --from") :; return ;;
        " risk corr --to") :; return ;;
        " risk corr --data") compopt -o dirnames; return ;;
        " risk corr --seed") :; return ;;
        " risk corr --equity") :; return ;;
        " risk exposure --from") :; return ;;
        " risk exposure --to") :; return ;;
        " risk exposure --data") compopt -o dirnames; return ;;
        " risk exposure --seed") :; return ;;
        " risk exposure --equity") :; return ;;
        " gate explain --from") :; return ;;
        " gate explain --to") :; return ;;
        " gate explain --data") compopt -o dirnames; return ;;
        " gate explain --seed") :; return ;;
        " gate explain --equity") :; return ;;
        " gate explain ") :; return ;;
        " halt trip --reason") :; return ;;
        " halt reset --user") :; return ;;
        " halt reset --reason") :; return ;;
        " breaker reset --reason") :; return ;;
        " breaker reset ") :; return ;;
        " alerts ack --reason") :; return ;;
        " alerts ack ") :; return ;;
        " alerts raise --subject") :; return ;;
        " alerts raise ") :; return ;;
        " queue cancel ") :; return ;;
        " policy set --reason") :; return ;;
        " policy set --expires") :; return ;;
        " policy set --expect-version") :; return ;;
        " policy set --user") :; return ;;
        " policy set ") :; return ;;
        " policy profile --reason") :; return ;;
        " policy profile --expires") :; return ;;
        " policy profile --expect-version") :; return ;;
        " policy profile --user") :; return ;;
        " policy profile ") last="CAUTIOUS DEFENSIVE NORMAL AGGRESSIVE"; return ;;
        " policy diff ") :; return ;;
        " policy rollback --reason") :; return ;;
        " policy rollback --expires") :; return ;;
        " policy rollback --expect-version") :; return ;;
        " policy rollback --user") :; return ;;
        " policy rollback ") :; return ;;
        " runbook show ") :; return ;;
        " incident start ") :; return ;;
        " incident note --number") :; return ;;
        " incident note ") :; return ;;
        " incident timeline --number") :; return ;;
        " incident close --number") :; return ;;
        " incident close ") :; return ;;
        " shadow report --since") :; return ;;
        " shadow report --write-config") compopt -o dirnames; return ;;
        " audit verify --anchors") compopt -o default; return ;;
        " audit anchor --to") compopt -o default; return ;;
        " audit export --out") compopt -o default; return ;;
        " audit export --since") :; return ;;
        " bans add --reason") :; return ;;
        " bans add --hours") :; return ;;
        " bans add ") :; return ;;
        " bans lift --reason") :; return ;;
        " bans lift ") :; return ;;
        " paper deposit ") :; return ;;
        " paper withdraw ") :; return ;;
        " size calc --equity") :; return ;;
        " size calc --conviction-pct") :; return ;;
        " size calc --stop-pct") :; return ;;
        " size calc --tier") :; return ;;
        " size calc --regime") last="bull chop bear crash"; return ;;
        " size calc --sizer") :; return ;;
        " size calc --leverage") :; return ;;
        " size calc --venue-leverage") :; return ;;
        " size calc --exposure") :; return ;;
        " size calc --asset-exposure") :; return ;;
        " size calc --cash") :; return ;;
        " size calc --price") :; return ;;
        " size calc --lot") :; return ;;
        " size calc --drawdown-pct") :; return ;;
        " size calc --volatility-pct") :; return ;;
        " size calc --range-pct") :; return ;;
        " size calc --wins") :; return ;;
        " size calc --losses") :; return ;;
        " size calc --gained") :; return ;;
        " size calc --lost") :; return ;;
        " size calc --pair-wins") :; return ;;
        " size calc --pair-losses") :; return ;;
        " size calc --budget-pct") :; return ;;
        " size calc --max-position") :; return ;;
        " size calc --min-position") :; return ;;
        " size calc --max-stop-loss-pct") :; return ;;
        " size calc --max-exposure-pct") :; return ;;
        " size calc --max-asset-pct") :; return ;;
        " prove crash --scene") :; return ;;
        " prove crash --sample") :; return ;;
        " prove crash --only") :; return ;;
        " prove crash --out") compopt -o default; return ;;
        " prove crash --work") compopt -o dirnames; return ;;
        " prove failing --scene") :; return ;;
        " prove failing --sample") :; return ;;
        " prove failing --only") :; return ;;
        " prove failing --out") compopt -o default; return ;;
        " prove failing --work") compopt -o dirnames; return ;;
        " prove sigkill --scene") :; return ;;
        " prove sigkill --sample") :; return ;;
        " prove sigkill --only") :; return ;;
        " prove sigkill --out") compopt -o default; return ;;
        " prove sigkill --work") compopt -o dirnames; return ;;
        " prove sim --seeds") :; return ;;
        " prove sim --cycles") :; return ;;
        " prove sim --seed") :; return ;;
        " prove sim --workers") :; return ;;
        " prove sim --keep") compopt -o default; return ;;
        " prove sim --work") compopt -o dirnames; return ;;
        " prove sim --out") compopt -o default; return ;;
        " prove soak --cycles") :; return ;;
        " prove soak --work") compopt -o dirnames; return ;;
        " prove soak --out") compopt -o default; return ;;
        " prove kills --kills") :; return ;;
        " prove kills --only") :; return ;;
        " prove kills --out") compopt -o default; return ;;
        " prove kills --work") compopt -o dirnames; return ;;
        " prove parity --data") compopt -o dirnames; return ;;
        " prove parity --from") :; return ;;
        " prove parity --cycles") :; return ;;
        " prove parity --out") compopt -o default; return ;;
        " prove parity --work") compopt -o dirnames; return ;;
        " prove planted --only") :; return ;;
        " prove planted --lives") :; return ;;
        " prove planted --out") compopt -o default; return ;;
        " prove planted --work") compopt -o dirnames; return ;;
        " sim cert ") compopt -o dirnames; return ;;
        " sim serve --port") :; return ;;
        " sim serve --tls") compopt -o dirnames; return ;;
        " sim serve --key") compopt -o default; return ;;
        " sim serve --data") compopt -o dirnames; return ;;
        " sim serve --from") :; return ;;
        " sim serve --to") :; return ;;
        " sim serve --speed") :; return ;;
        " sim serve --faults") compopt -o default; return ;;
        " sim serve --seed") :; return ;;
        " sim serve --truth") compopt -o default; return ;;
        " data import --data") compopt -o dirnames; return ;;
        " data import --pair") :; return ;;
        " data import --granularity") last="15m 1h 1d"; return ;;
        " data import ") compopt -o default; return ;;
        " data list --data") compopt -o dirnames; return ;;
        " data check --data") compopt -o dirnames; return ;;
        " data check --pair") :; return ;;
        " data check --from") :; return ;;
        " data check --to") :; return ;;
        " data fetch --pairs") :; return ;;
        " data fetch --granularity") last="1m 5m 15m 1h 1d"; return ;;
        " data fetch --from") :; return ;;
        " data fetch --to") :; return ;;
        " data fetch --out") compopt -o dirnames; return ;;
    esac
    case "$2" in
        "--state") compopt -o dirnames ;;
        "--config") compopt -o dirnames ;;
        "--mode") last="DRY_RUN PAPER LIVE" ;;
        "--venue") last="coinbase simulated" ;;
        "--log") : ;;
    esac
}

_trader() {
    local below options at="" want="" word last cur=${COMP_WORDS[COMP_CWORD]}
    local -i i
    _trader_at ""
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == "=" ]]; then continue; fi
        if [[ -n $want ]]; then want=""; continue; fi
        case "$at $word" in ' install-units --user') continue ;; esac
        case "$word" in
            --anchors | --asset | --asset-exposure | --backtest | --baseline | --block | --budget-pct | --by | --cash | --config | --conviction-pct | --csv | --cycle | --cycles | --data | --deposit | --drawdown-pct | --embargo | --engine | --equity | --expect-version | --expires | --exposure | --faults | --file | --from | --gained | --granularity | --grid | --hours | --html | --jobs | --keep | --key | --kills | --leverage | --lives | --log | --losses | --lost | --lot | --max-asset-pct | --max-equity | --max-exposure-pct | --max-position | --max-stop-loss-pct | --method | --metrics-port | --min-position | --min-trades | --mode | --number | --objective | --only | --optuna | --out | --pair | --pair-losses | --pair-wins | --pairs | --paths | --plan | --port | --price | --program | --purge | --random | --range | --range-pct | --reason | --regime | --resume | --ruin | --sample | --scene | --schema | --seed | --seeds | --set | --since | --sizer | --speed | --state | --stop-pct | --subject | --symbol | --test | --tier | --tls | --to | --tolerance | --train | --truth | --user | --venue | --venue-leverage | --verdict | --volatility-pct | --what | --wins | --work | --workers | --write-baseline | --write-config) want=$word ;;
            -*) ;;
            *) if [[ " $below " == *" $word "* ]]; then at+=" $word"; _trader_at "$at"; fi ;;
        esac
    done
    if [[ $cur == "=" ]]; then cur=""; fi
    COMPREPLY=()
    if [[ -z $want && $cur == -* ]]; then
        last=$options
    elif [[ -z $want && -n $below ]]; then
        last=$below
    else
        last=""
        _trader_value "$at" "$want"
    fi
    for word in $last; do
        if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
    done
}
complete -F _trader trader
