// The compiled part of Boost.URL. Debian's static library is not position-independent and its
// shared one would have to be installed wherever damson runs.
#include <boost/url/src.hpp>
