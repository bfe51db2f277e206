#!/bin/sh
# Runs Gradle: the pinned one if it is there or can be had, else the system's (4.4 or later), installing Debian's package
# where that is possible. No binary jar is needed. All arguments are Gradle's.
set -u
root=$(cd "$(dirname "$0")" && pwd -P) || exit 1
properties=$root/gradle/wrapper/gradle-wrapper.properties
cache=${GRADLE_USER_HOME:-$HOME/.gradle}/wrapper/dists

say() { echo "gradlew: $*" >&2; }
property() { sed -n "s/^$1=//p" "$properties" | sed 's/\\:/:/g'; }
url=$(property distributionUrl)
sha256=$(property distributionSha256Sum)
zip=${url##*/}         # gradle-9.2.1-bin.zip
distribution=${zip%.zip}
name=${distribution%-bin}

# 1. The pinned distribution, wherever a wrapper unpacked it.
pinned() {
    for gradle in "$cache/$distribution"/*/"$name"/bin/gradle; do
        [ -x "$gradle" ] && { echo "$gradle"; return 0; }
    done
    return 1
}

# 2. A download, verified. One that fails or stalls gives up in seconds, and is not tried again for a day.
download() {
    failed=$cache/$distribution/download-failed
    [ -n "$(find "$failed" -mtime -1 2>/dev/null)" ] && return 1
    command -v unzip >/dev/null && command -v sha256sum >/dev/null || return 1
    target=$cache/$distribution/$(printf %s "$sha256" | cut -c1-16)
    part=$target/$zip.part.$$
    mkdir -p "$target" || return 1
    say "downloading $url"
    if command -v curl >/dev/null; then
        curl -fsSL --connect-timeout 5 --speed-limit 20000 --speed-time 8 -o "$part" "$url" 2>/dev/null
    elif command -v wget >/dev/null; then
        wget -q --tries=1 --timeout=8 -O "$part" "$url" 2>/dev/null
    else
        false
    fi
    if [ $? -ne 0 ]; then
        rm -rf "$target"
        : > "$failed"
        return 1
    fi
    if ! echo "$sha256  $part" | sha256sum -c - >/dev/null 2>&1; then
        rm -rf "$target"
        say "$url is not the pinned distribution (its SHA-256 is another one); it was thrown away"
        return 1
    fi
    rm -f "$failed"
    unzip -q "$part" -d "$target/unpacking.$$" && mv "$target/unpacking.$$/$name" "$target/$name"
    rm -rf "$part" "$target/unpacking.$$"
    pinned
}

# 3. The system's, if it is not too old.
installed() {
    command -v gradle >/dev/null || return 1
    version=$(gradle --version 2>/dev/null | sed -n 's/^Gradle //p')
    major=${version%%.*}
    rest=${version#*.}
    minor=${rest%%.*}
    case $major$minor in '' | *[!0-9]*) return 1 ;; esac
    [ "$major" -gt 4 ] || { [ "$major" -eq 4 ] && [ "$minor" -ge 4 ]; } || return 1
    command -v gradle
}

# 4. Debian's and Ubuntu's package.
install() {
    [ "$(id -u)" -eq 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null || return 1
    packages=gradle
    command -v javac >/dev/null || packages="$packages openjdk-17-jdk-headless"
    say "installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq $packages; } >&2 </dev/null || return 1
    installed
}

gradle=$(pinned || download || installed || install) || {
    say "no Gradle: $url cannot be reached, and there is none of 4.4 or later on the PATH."
    say "Install one, for example with: apt-get install gradle openjdk-17-jdk-headless"
    exit 1
}
cd "$root" || exit 1
exec "$gradle" "$@"
