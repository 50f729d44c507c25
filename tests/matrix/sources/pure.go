package main

import (
	"fmt"
	"os/exec"
	"sort"
)

func main() {
	counts := map[string]int{}
	for i := 0; i < 3000; i++ {
		counts[fmt.Sprintf("word%d", i*7%300)]++
	}
	words := []string{}
	for w := range counts {
		words = append(words, w)
	}
	sort.Strings(words)
	out, err := exec.Command("sort", "--version").Output()
	fmt.Println(len(words), words[0], len(out) > 0, err)
}
