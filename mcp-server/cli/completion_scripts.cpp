// SPDX-License-Identifier: Apache-2.0
// The shells' side of completion: they hand their words to berth and show what it answers.
#include "mcp-server/cli/completion.h"

namespace berth::cli {

std::string bash_completion() {
    return R"SH(# bash completion for berth: source <(berth completion bash)
_berth() {
    local line program=${COMP_WORDS[0]/#\~\//$HOME/}
    COMPREPLY=()
    while IFS='' read -r line; do
        if [[ $line == :files ]]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done < <("$program" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _berth berth
)SH";
}

std::string zsh_completion() {
    return R"SH(#compdef berth
# zsh completion for berth: source <(berth completion zsh), or as _berth in a directory of $fpath
_berth() {
    local line word about files=0
    local -a described typed
    typed=("${(@Q)words[2,CURRENT-1]}" "$PREFIX")
    while IFS='' read -r line; do
        if [[ $line == :files ]]; then
            files=1
            continue
        fi
        word=${line%%$'\t'*}
        about=''
        [[ $line == *$'\t'* ]] && about=":${line#*$'\t'}"
        described+=("${word//:/\\:}$about")
    done < <("${(Q)words[1]/#\~\//$HOME/}" __complete -- "${typed[@]}" 2>/dev/null)
    (( $#described )) && _describe -t berth berth described
    (( files )) && _files
    return 0
}
if [[ ${funcstack[1]} == _berth ]]; then
    _berth "$@"
elif (( $+functions[compdef] )); then
    compdef _berth berth
fi
)SH";
}

}  // namespace berth::cli
