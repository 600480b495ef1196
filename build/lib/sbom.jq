# The SPDX 2.3 document of a release: the probe, and what is linked into it.
# Wants $version, $revision, $created, $rust (what rustc --version says), $musl
# (a version a line: not every platform has Debian 12's), and $sha1, $sha256 (what sha1sum and sha256sum say of the files).

def package($id; $name; $version; $license): {
    SPDXID: "SPDXRef-\($id)", name: $name, versionInfo: $version,
    downloadLocation: "NOASSERTION", filesAnalyzed: false,
    licenseConcluded: $license, licenseDeclared: $license, copyrightText: "NOASSERTION"
};

def relation($from; $type; $to): {
    spdxElementId: "SPDXRef-\($from)", relationshipType: $type, relatedSpdxElement: "SPDXRef-\($to)"
};

# {file: sum} of the lines "sum  file".
def sums: [scan("(\\w+)  (.+)") | {key: .[1], value: .[0]}] | from_entries;

($musl | split("\n")) as $musl | ($sha1 | sums) as $sha1 | ($sha256 | sums) as $sha256 | {
    spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT",
    name: "scratch-probe-\($version)",
    documentNamespace: "https://spdx.org/spdxdocs/scratch-probe-\($version)-\($revision)",
    creationInfo: {created: $created, creators: ["Tool: build/release"]},
    packages: [
        package("probe"; "scratch-probe"; $version; "MIT")
            + {sourceInfo: "commit \($revision)", primaryPackagePurpose: "APPLICATION"},
        package("rust"; "rust"; ($rust | split(" ")[1]);
                "(MIT OR Apache-2.0) AND MIT AND Apache-2.0 WITH LLVM-exception")
            + {comment: "The standard library, compiled by \($rust)."},
        ($musl[] | package("musl-\(.)"; "musl"; .; "MIT"))
    ],
    files: ($sha256 | keys | map({
        SPDXID: "SPDXRef-\(.)", fileName: "./\(.)", fileTypes: ["BINARY"],
        checksums: [{algorithm: "SHA1", checksumValue: $sha1[.]}, {algorithm: "SHA256", checksumValue: $sha256[.]}],
        licenseConcluded: "NOASSERTION", licenseInfoInFiles: ["NOASSERTION"], copyrightText: "NOASSERTION"
    })),
    relationships: [
        relation("DOCUMENT"; "DESCRIBES"; "probe"),
        relation("probe"; "STATIC_LINK"; "rust"),
        ($musl[] | relation("probe"; "STATIC_LINK"; "musl-\(.)")),
        relation("rust"; "BUILD_TOOL_OF"; "probe"),
        (($sha256 | keys)[] | relation("probe"; "GENERATES"; .))
    ]
}
