# bash completion for bake; the words come from bake itself, so that the two always agree

# _bake_options COMMAND: lines "--NAME VALUE CHOICES", and "= CHOICES" for the arguments
_bake_options() { "${COMP_WORDS[0]}" --complete "$@" 2>/dev/null; }

# _bake_value VALUE [CHOICE...]: completes what an option or argument takes
_bake_value() {
    local cur=${COMP_WORDS[COMP_CWORD]} value=$1
    shift
    if [ $# -gt 0 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
    elif [ "$value" = FILE ]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    elif [ "$value" = DIR ]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    fi
}

_bake() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local name value choices names=() arguments=()
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_bake_options)" -- "$cur")
        return
    fi
    while read -r name value choices; do
        if [ "$name" = = ]; then
            read -ra arguments <<<"$value $choices"
        elif [ "$name" = "$prev" ] && [ -n "$value" ]; then
            # shellcheck disable=SC2086 # the choices are words
            _bake_value "$value" $choices
            return
        else
            names+=("$name")
        fi
    done < <(_bake_options "${COMP_WORDS[1]}")
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${names[*]}" -- "$cur")
    elif [ ${#arguments[@]} -gt 0 ]; then
        [ "$COMP_CWORD" != 2 ] || _bake_value ARGUMENT "${arguments[@]}"
    else
        mapfile -t COMPREPLY < <(compgen -f -X '!*.json' -- "$cur")
    fi
}
complete -F _bake -o filenames bake
