# build.sh FOLDER CC CXX PREFIX [FLAG]: programs with nothing but a compiler and pkg-config.
set -eu
here=$(dirname "$0")
folder=$1
cc=$2
cxx=$3
prefix=$4
flags=${5-}

pkg-config --print-errors --exact-version="$(pkg-config --modversion damson)" damson-plum

"$cc" $flags -o "$folder/consumer" "$here/../c/main.c" $(pkg-config --cflags --libs damson-plum)
"$cxx" $flags -std=c++20 -o "$folder/engine" "$here/../engine/main.cpp" \
  $(pkg-config --cflags --libs damson-engine)
"$folder/engine"
"$cxx" $flags -std=c++20 -o "$folder/version" "$here/version.cpp" $(pkg-config --cflags --libs damson)
"$folder/version"
"$cxx" $flags -std=c++20 -o "$folder/testing" "$here/../testing/main.cpp" \
  $(pkg-config --cflags --libs damson-testing)
"$folder/testing"

# libplum's own header must not be hidden by this one: only those who ask for it see it.
if echo '#include <plum/plum.h>' | "$cc" -fsyntax-only -I"$prefix/include" -x c - 2>/dev/null; then
  echo '<plum/plum.h> is found without damson-plum' >&2
  exit 1
fi
