package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	// page is the file in docs that holds the table.
	page  = "tftp-delivery.md"
	image = "tftp-delivery.svg"
	// firstRuns is how many runs a test repeats to compare the page with the program.
	firstRuns = 20
)

// renew replaces the table of the page in a directory, and the chart beside it.
func renew(dir string, lines []line) error {
	name := filepath.Join(dir, page)
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	head, rest, found := bytes.Cut(old, []byte("| strategy |"))
	if !found {
		return fmt.Errorf("%s has no table of strategies", name)
	}
	_, tail, _ := bytes.Cut(rest, []byte("\n\n"))
	text := fmt.Sprintf("%s%s\n%s", head, markdown(lines), tail)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, image))
	if err != nil {
		return err
	}
	return errors.Join(chart(f, lines), f.Close())
}

// markdown is the table of the page: all figures of the first reading, and the mean times of
// the others.
func markdown(lines []line) string {
	var b strings.Builder
	head := []string{"strategy", "mean s", "median s", "95 % s", "DATA", "ACK", "packets", "delivered", "delivered/s"}
	for _, r := range readings[1:] {
		head = append(head, r.name)
	}
	head = append(head, fmt.Sprintf("first %d runs", firstRuns))
	fmt.Fprintf(&b, "| %s |\n| --- |%s\n", strings.Join(head, " | "), strings.Repeat(" ---: |", len(head)-1))
	for _, m := range methods {
		l := find(lines, m.name, readings[0].name)
		fmt.Fprintf(&b, "| %s | %.3f | %.3f | %.3f | %.0f | %.0f | %.0f | %.0f | %.0f |",
			m.name, l.mean, l.median, l.p95, l.data, l.acks, l.packets, l.delivered, l.perSecond)
		for _, r := range readings[1:] {
			fmt.Fprintf(&b, " %.3f |", find(lines, m.name, r.name).mean)
		}
		fmt.Fprintf(&b, " %.3f |\n", l.first)
	}
	return b.String()
}
