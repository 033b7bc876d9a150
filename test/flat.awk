# SPDX-License-Identifier: MIT
#
# JSON to lines "process/user/uid<TAB>0"; an object or list is a line too, with
# nothing behind the tab, or its bracket if brackets is set. sep: in place of /.

function unquote(s)
{
	s = substr(s, 2, length(s) - 2)
	gsub(/\\"/, "\"", s)
	return s
}
BEGIN {
	if (sep == "")
		sep = "/"
}
{
	s = $0
	while (match(s, /"([^"\\]|\\.)*"|[][{}]|[^][{}",: \t]+/)) {
		t = substr(s, RSTART, RLENGTH)
		s = substr(s, RSTART + RLENGTH)
		if (s ~ /^:/) {
			name = unquote(t)
			continue
		}
		if (t ~ /^[]}]/) {
			depth--
			continue
		}
		path = base[depth] (list[depth] ? at[depth]++ : name)
		print path "\t" (t ~ /^"/ ? unquote(t) : \
				 t ~ /^[[{]/ && !brackets ? "" : t)
		if (t ~ /^[[{]/) {
			depth++
			base[depth] = (path == "" ? "" : path sep)
			list[depth] = t == "["
			at[depth] = 0
		}
	}
}
