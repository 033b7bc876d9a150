# SPDX-License-Identifier: MIT
#
# Sets of capabilities, for adapt.awk and check.awk.

function word(s, all)
{
	return index(" " all " ", " " s " ") > 0
}

# As words in the kernel's order, from hexadecimal or from the words of a
# config. No power of two: busybox may lack it.
function caps(s,	i, j, n, bit, all)
{
	n = split(ENVIRON["all_caps"], cap_name, " ")
	for (i = 1; i <= n; i++) {
		if (s ~ /^[0-9a-f]+$/) {
			bit = index("0123456789abcdef", substr(s, \
				length(s) - int((i - 1) / 4), 1)) - 1
			for (j = (i - 1) % 4; j; j--)
				bit = int(bit / 2)
			bit = bit % 2
		} else
			bit = word("CAP_" toupper(cap_name[i]), s)
		if (bit)
			all = all (all == "" ? "" : " ") cap_name[i]
	}
	return all
}
