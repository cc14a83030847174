package config

import (
	"fmt"
	"slices"
	"strings"
)

// suggest returns the end of a message that names the candidate meant by word, or "".
func suggest(word string, candidates []string) string {
	if best := nearest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

const maxOffered = 20 // names in a message

// offer is suggest, or if no candidate is near, the end of a message that lists them all.
func offer(word string, candidates []string) string {
	if hint := suggest(word, candidates); hint != "" || len(candidates) == 0 {
		return hint
	}
	list := slices.Sorted(slices.Values(candidates))
	more := ""
	if len(list) > maxOffered {
		list, more = list[:maxOffered], fmt.Sprintf(" and %d more", len(list)-maxOffered)
	}
	return "; there are " + strings.Join(list, ", ") + more
}

// nearest returns the candidate that is a slip away from word: one edit for every
// three letters, or an end that is missing or too much; "" = none is.
func nearest(word string, candidates []string) string {
	best, least := "", max((len(word)+1)/3, 1)
	if len(word) > 64 {
		return ""
	}
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := slip(simplified(word), simplified(c)); d <= least && d < len(c) {
			best, least = c, d-1
		}
	}
	return best
}

func slip(word, candidate string) int {
	common := min(len(word), len(candidate))
	if common >= 3 && word[:common] == candidate[:common] {
		return min(1, max(len(word), len(candidate))-common)
	}
	return distance(word, candidate)
}

func simplified(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			rows[i][j] = cheapest(rows, a, b, i, j)
		}
	}
	return rows[len(a)][len(b)]
}

func cheapest(rows [][]int, a, b string, i, j int) int {
	differ := 1
	if a[i-1] == b[j-1] {
		differ = 0
	}
	d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ)
	if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
		d = min(d, rows[i-2][j-2]+1)
	}
	return d
}
