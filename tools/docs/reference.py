#!/usr/bin/env python3
"""Makes the reference of the public headers, as pages for a browser, by Doxygen.

    reference.py DIRECTORY README LABELS

DIRECTORY is where it goes; its first page is index.html. README is that of the project, from which
that page is made. LABELS is a file of the labels of all headers that are offered as "rumcask/NAME";
the headers are found from the current directory. Anything that Doxygen warns of is an error.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from comment_filter import marked_up

HERE = os.path.dirname(os.path.abspath(__file__))

FIRST_PAGE = r"""/** @mainpage
{introduction}

Start with rumcask/db.h: half of it is the contract, and rumcask::DB has the functions.

@section use How to use it

A Bazel project that has the repository <code>rumcask</code>, as README tells, depends on it in its
BUILD.bazel:

@verbinclude BUILD.bazel

The program, which includes what it uses:

@include main.cc

@section headers The headers for programs

<table>
{for_programs}
</table>

@section more What these include, and headers for keystores of your own

<table>
{others}
</table>
*/

/** @namespace rumcask
All that the headers declare.
*/
"""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(text, *path):
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text)


def only(readme, what, pattern):
    found = re.search(pattern, read(readme), re.DOTALL | re.MULTILINE)
    if not found:
        sys.exit("%s does not have %s, which the first page of the reference shows" %
                 (readme, what))
    return found.group(1)


def table(names):
    """With the first sentence of each header."""
    row = "<tr><td>rumcask/%s</td><td>@copybrief %s\n</td></tr>"
    return "\n".join(row % (name, name) for name in names)


def write_first_page(readme, names, directory):
    """Of the headers, those come first that README names, in its order."""
    section = only(readme, "a list of headers", r"^## The headers$(.*?)^## ")
    for_programs = re.findall(r"\[`rumcask/(\w+\.h)`\]", section)
    missing = [name for name in for_programs if name not in names]
    if missing:
        sys.exit("%s names headers that are not offered: %s" % (readme, " ".join(missing)))
    others = sorted(set(names) - set(for_programs))
    write(FIRST_PAGE.format(
        introduction=marked_up(only(readme, "a first paragraph", r"\A# \w+\n\n(.*?)\n\n")),
        for_programs=table(for_programs),
        others=table(others)), directory, "first_page.dox")
    write(only(readme, "a BUILD.bazel", r"^`BUILD\.bazel`:\n\n```python\n(.*?)^```$"), directory,
          "BUILD.bazel")
    write(only(readme, "a program", r"^```cpp\n(.*?)^```$"), directory, "main.cc")


def main(output, readme, labels):
    if shutil.which("doxygen") is None:
        sys.exit("there is no doxygen, which makes the reference; apt-get install doxygen")
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "rumcask"))
        paths = [label[2:].replace(":", "/") for label in read(labels).split()]
        for path in paths:
            shutil.copy(path, os.path.join(directory, "rumcask"))
        write_first_page(readme, [os.path.basename(path) for path in paths], directory)
        configuration = read(os.path.join(HERE, "Doxyfile")) + """
            INPUT            = "{directory}/rumcask" "{directory}/first_page.dox"
            FILTER_PATTERNS  = "*.h=python3 {here}/comment_filter.py"
            EXAMPLE_PATH     = "{directory}"
            STRIP_FROM_PATH  = "{directory}"
            STRIP_FROM_INC_PATH = "{directory}"
            OUTPUT_DIRECTORY = "{output}"
        """.format(directory=directory, here=HERE, output=os.path.abspath(output))
        os.makedirs(output, exist_ok=True)
        done = subprocess.run(["doxygen", "-"], input=configuration, universal_newlines=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    sys.stderr.write(done.stdout.replace(directory + "/", ""))
    sys.exit(done.returncode)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
