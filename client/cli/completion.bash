# bash completion for spillway(1): commands, files, and the names of objects where the server can be asked.
_spillway()
{
    local commands="put get ls stat rm stats ping import export inspect policy help"
    local word=${COMP_WORDS[COMP_CWORD]} command="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ " $commands " == *" ${COMP_WORDS[i]} "* ]]; then
            command=${COMP_WORDS[i]}
            break
        fi
    done
    case $command in
        "" | help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
        policy) mapfile -t COMPREPLY < <(compgen -W "check" -f -- "$word") ;;
        import) mapfile -t COMPREPLY < <(compgen -f -X '!*.safetensors' -- "$word") ;;
        get | ls | stat | rm | export) mapfile -t COMPREPLY < <(spillway ls "$word" 2>/dev/null | head -n 200) ;;
        *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}
complete -o default -F _spillway spillway
