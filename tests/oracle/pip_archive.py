"""Downloads one archive of a package as it stands on the package index, with pip's own finder,
configuration and session, and prints its path:

    python pip_archive.py FOLDER PACKAGE VERSION [source]     source: not the wheel

`pip download` would do for wheels, but of a source archive it runs the build to learn the
metadata. Nobody's build runs here: the archive is only stored."""
import os
import sys

from pip._internal.commands import create_command


def main(folder, package, version, kind=""):
    command = create_command("download")
    options, _ = command.parse_args(["--quiet", "--no-deps", "--dest", folder,
                                     f"{package}=={version}"])
    with command.main_context():
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session)
        links = [candidate.link for candidate in finder.find_all_candidates(package)
                 if str(candidate.version) == version]
        if not links:
            sys.exit(f"error: the package index has no {package} {version}")
        wheels = [link for link in links if link.is_wheel]
        sources = [link for link in links if not link.is_wheel]
        link = (sources if kind == "source" else wheels or links)[0]
        path = os.path.join(folder, os.path.basename(link.filename))
        response = session.get(link.url_without_fragment, stream=True,
                               headers={"Accept-Encoding": "identity"})
        response.raise_for_status()
        with open(path, "wb") as out:
            for chunk in response.iter_content(1 << 20):
                out.write(chunk)
    print(path)


main(*sys.argv[1:5])
