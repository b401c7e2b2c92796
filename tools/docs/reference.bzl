"""The rule that makes the reference of the public headers."""

def _html_reference_impl(ctx):
    directory = ctx.actions.declare_directory(ctx.label.name)
    ctx.actions.run_shell(
        outputs = [directory],
        inputs = ctx.files.program + ctx.files.headers + [ctx.file.labels, ctx.file.readme],
        command = "exec python3 \"$@\"",
        arguments = [
            ctx.files.program[0].path,
            directory.path,
            ctx.file.readme.path,
            ctx.file.labels.path,
        ],
        mnemonic = "Doxygen",
        progress_message = "Making the reference of the public headers",
        use_default_shell_env = True,
    )
    return [DefaultInfo(files = depset([directory]))]

html_reference = rule(
    implementation = _html_reference_impl,
    doc = "Makes the directory NAME of HTML pages, by the doxygen of the system.",
    attrs = {
        "headers": attr.label_list(
            allow_files = True,
            doc = "Where the headers are that the labels name.",
        ),
        "labels": attr.label(
            allow_single_file = True,
            doc = "A file of the labels of the headers to show.",
        ),
        "program": attr.label_list(
            allow_files = True,
            doc = "reference.py and what it needs.",
        ),
        "readme": attr.label(
            allow_single_file = True,
            doc = "README.md, for the first page.",
        ),
    },
)
