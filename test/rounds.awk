# SPDX-License-Identifier: MIT
#
# The lines of rounds.c as a table, each program beside the one that is named
# floor. rounds: how many they were.

BEGIN {
	FS = "\t"
}
{
	name[NR] = $1; median[NR] = $2; least[NR] = $3; bad[NR] = $4
	by[$1] = $2
}
END {
	printf "%-20s%12s%10s%12s\n", rounds " rounds", "median ms", "least",
		"/ " floor
	for (i = 1; i <= NR; i++)
		printf "%-20s%12.2f%10.2f%12.2f%s\n", name[i],
			median[i] / 1000, least[i] / 1000,
			median[i] / by[floor],
			bad[i] ? "  FAILED " bad[i] " times" : ""
}
