package sdktest

import (
	"os"
	"strings"
)

// Blocks gives the fenced blocks of one language in a Markdown file, so that the examples of a
// README can be run by a test.
func Blocks(file, language string) ([]string, error) {
	page, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var blocks []string
	var block *strings.Builder
	for line := range strings.Lines(string(page)) {
		switch fence := strings.TrimSpace(line); {
		case block == nil && fence == "```"+language:
			block = &strings.Builder{}
		case block != nil && fence == "```":
			blocks = append(blocks, block.String())
			block = nil
		case block != nil:
			block.WriteString(line)
		}
	}
	return blocks, nil
}
