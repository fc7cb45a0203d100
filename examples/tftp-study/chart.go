package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartWidth = 900
	labels     = 170
	rowHeight  = 62
	barHeight  = 12
	top        = 56
)

// colours are those of the readings.
var colours = []string{"#1f6fb2", "#d1662c", "#3a9355", "#8a5bb0"}

// longest is where the scale ends; longer bars are cut and say how long they are.
const longest = 8.0

// chart draws for each strategy a bar for each reading: the mean, with a line up to the
// 95th percentile.
func chart(w io.Writer, lines []line) error {
	var b strings.Builder
	height := top + rowHeight*len(methods) + 20
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text x="10" y="18" font-size="14">Delivery time in seconds: mean, and a line to the 95th percentile</text>`+"\n")
	for i, r := range readings {
		fmt.Fprintf(&b, `<rect x="%d" y="28" width="12" height="12" fill="%s"/><text x="%d" y="38">%s</text>`+"\n",
			10+i*180, colours[i], 27+i*180, text(r.name))
	}
	for s := 0; s <= longest; s++ {
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n",
			at(float64(s)), at(float64(s)), top-6, height-20, at(float64(s)), height-6, s)
	}
	for i, m := range methods {
		y := top + i*rowHeight
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", labels-8, y+30, text(m.name))
		for j, r := range readings {
			bar(&b, y+j*(barHeight+1), colours[j], find(lines, m.name, r.name))
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// at is the place of a time.
func at(seconds float64) float64 {
	return labels + min(seconds, longest)/longest*(chartWidth-labels-60)
}

func bar(b *strings.Builder, y int, colour string, l line) {
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labels, y, at(l.mean)-labels, barHeight, colour)
	fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-width="2"/>`, at(l.mean), at(l.p95), y+barHeight/2, y+barHeight/2, colour)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" font-size="10">%.2f</text>`+"\n", at(l.p95)+4, y+barHeight-2, l.mean)
}

func find(lines []line, method, reading string) line {
	for _, l := range lines {
		if l.method == method && l.reading == reading {
			return l
		}
	}
	return line{}
}

// text escapes what XML reserves.
func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
