import os
import py_compile
import sys

root = sys.argv[1]
for folder, folders, files in os.walk(root):
    folders.sort()
    for name in sorted(files):
        if name.endswith(".py"):
            path = os.path.join(folder, name)
            shown = os.path.join("python", os.path.relpath(path, root))
            try:
                py_compile.compile(path, dfile=shown, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
            except (py_compile.PyCompileError, OSError, ValueError, RecursionError):
                # Templates of code, and code for other versions. Whoever imports it is told.
                pass
