# SPDX-License-Identifier: Apache-2.0
# The generated pages under docs/ say what the declarations say now.
execute_process(COMMAND ${TOOLGEN} docs ${SCRATCH} ${DECLARATIONS} COMMAND_ERROR_IS_FATAL ANY)
foreach(page tools.md errors.md)
    execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${SCRATCH}/${page} ${DOCS}/${page}
        RESULT_VARIABLE differs)
    if(differs)
        message(SEND_ERROR "docs/${page} is stale; build the target docs_generated")
    endif()
endforeach()
