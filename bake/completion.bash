# bash completion for bake
_bake() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="init lock plan image matrix test push promote prune key metadata"
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$cur")
        return
    fi
    case $prev in
    --key | -k | --ca-file | --passphrase-file | --serial | --secret-file | --secret-out | --access-token-file | --platform-key | \
        --exchange-key | --signature-db | --forbidden-db)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --out | -o | --cache-dir | --lock-dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --like)
        mapfile -t COMPREPLY < <(compgen -W "flatcar coreos-hyperkube standin" -- "$cur")
        return
        ;;
    --architecture)
        mapfile -t COMPREPLY < <(compgen -W "X86_64 ARM64" -- "$cur")
        return
        ;;
    --format | -f)
        mapfile -t COMPREPLY < <(compgen -W "gcloud terraform json" -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        # the command's own help is the list: the two cannot fall out of step
        local options
        options=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [ "${COMP_WORDS[1]}" = key ] && [ "$COMP_CWORD" = 2 ]; then
        mapfile -t COMPREPLY < <(compgen -W "new show" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -X '!*.json' -- "$cur")
    fi
}
complete -F _bake -o filenames bake
