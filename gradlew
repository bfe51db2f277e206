#!/bin/sh
# Runs Gradle: the pinned one if it is there or can be had, else the system's (4.4 or later), installing Debian's package
# where that is possible. No binary jar is needed. All arguments are Gradle's.
set -u
root=$(cd "$(dirname "$0")" && pwd -P) || exit 1
properties=$root/gradle/wrapper/gradle-wrapper.properties
cache=${GRADLE_USER_HOME:-$HOME/.gradle}/wrapper/dists

say() { echo "gradlew: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
property() { sed -n "s/^$1=//p" "$properties" | sed 's/\\:/:/g'; }

url=$(property distributionUrl)
sha256=$(property distributionSha256Sum)
zip=${url##*/}              # gradle-9.2.1-bin.zip
distribution=${zip%.zip}
name=${distribution%-bin}
failed=$cache/$distribution/download-failed

# 1. The pinned distribution, wherever a wrapper has unpacked it whole.
pinned() {
    for gradle in "$cache/$distribution"/*/"$name"/bin/gradle; do
        [ -x "$gradle" ] && [ -f "${gradle%/"$name"/bin/gradle}/$zip.ok" ] && { echo "$gradle"; return 0; }
    done
    return 1
}

# 2. A download, verified. One that fails or stalls gives up in seconds; the file $failed says not to try again for a day.
fetch() {
    if has curl; then
        curl -fsSL --connect-timeout 5 --speed-limit 20000 --speed-time 8 -o "$2" "$1" 2>/dev/null
    else
        has wget && wget -q --tries=1 --timeout=8 -O "$2" "$1" 2>/dev/null
    fi
}
sha256_of() { { sha256sum "$1" 2>/dev/null || shasum -a 256 "$1"; } | cut -d' ' -f1; }
download() {
    [ -z "$(find "$failed" -mtime -1 2>/dev/null)" ] && has unzip || return 1
    target=$cache/$distribution/$(printf %s "$sha256" | cut -c1-16)
    part=$target/part.$$
    mkdir -p "$part" || return 1
    say "downloading $url"
    if ! fetch "$url" "$part/$zip"; then
        say "it cannot be reached"
    elif [ "$(sha256_of "$part/$zip")" != "$sha256" ]; then
        say "what came is not the pinned distribution: its SHA-256 is another one"
    elif unzip -q "$part/$zip" -d "$part" && mv "$part/$name" "$target/$name" && : > "$target/$zip.ok"; then
        rm -rf "$part" "$failed"
        pinned
        return
    fi
    rm -rf "$target"
    : > "$failed"
    return 1
}

# 3. The system's, if it is not too old.
version_of() {
    for jar in "$(dirname "$(readlink -f "$1")")"/../lib/gradle-core-api-*.jar; do
        [ -f "$jar" ] && { basename "$jar" .jar | sed 's/gradle-core-api-//'; return; }
    done
    "$1" --version 2>/dev/null | sed -n 's/^Gradle //p'
}
installed() {
    has gradle || return 1
    gradle=$(command -v gradle)
    version_of "$gradle" | {
        IFS=. read -r major minor rest
        case $major$minor in '' | *[!0-9]*) exit 1 ;; esac
        [ "$major" -gt 4 ] || { [ "$major" -eq 4 ] && [ "$minor" -ge 4 ]; }
    } && echo "$gradle"
}

# 4. Debian's and Ubuntu's packages.
apt_install() {
    [ "$(id -u)" -eq 0 ] && [ -f /etc/debian_version ] && has apt-get || return 1
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >&2 </dev/null
}

has "${JAVA_HOME:+$JAVA_HOME/bin/}javac" || apt_install openjdk-17-jdk-headless || apt_install default-jdk-headless || {
    say "no JDK: there is no javac in JAVA_HOME or on the PATH."
    say "Install one of version 17 or later, for example with: apt-get install openjdk-17-jdk-headless"
    exit 1
}
gradle=$(pinned || download || installed || { apt_install gradle && installed; }) || {
    say "no Gradle: $url cannot be had, and there is none of 4.4 or later on the PATH."
    say "Install one, for example with: apt-get install gradle"
    exit 1
}
version=$(version_of "$gradle")
say "Gradle $version ($gradle)"
[ -t 0 ] && [ -t 1 ] && RAYBATCH_TERMINAL=$(tty) && export RAYBATCH_TERMINAL

case $version in
4.*)
    # Its start script prints the JVM's version each time, and knows no JDK after 16 where it is not Debian's.
    launcher=$(dirname "$(readlink -f "$gradle")")/../lib/gradle-launcher-$version.jar
    # shellcheck disable=SC2086 # options are words
    exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" --add-opens java.base/java.lang=ALL-UNNAMED ${JAVA_OPTS:-} ${GRADLE_OPTS:-} \
        -cp "$launcher" org.gradle.launcher.GradleMain -p "$root" "$@"
    ;;
esac
exec "$gradle" -p "$root" "$@"
