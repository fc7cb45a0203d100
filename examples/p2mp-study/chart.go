package main

import (
	"fmt"
	"math"
	"strings"
)

// The chart's measures, in pixels.
const (
	width, height = 900, 480
	left, right   = 60, 150
	top, bottom   = 40, 44
)

// colours are those of the ways.
var colours = []string{"#1f6fb2", "#d1662c", "#3a9355", "#8a5bb0"}

// The scale is logarithmic, in decades of seconds.
const shortest, longest = 0.1, 1000.0

// chart draws a curve for each way: the means, with a line from the least to the most.
func (e experiment) chart(lines []line) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="10" y="18" font-size="14">%s: seconds, mean of the runs, and a line from the least to the most</text>`+"\n", e.title)
	for s := shortest; s < longest*1.01; s *= 10 {
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`+"\n",
			left, width-right, above(s), above(s), left-8, above(s)+4, s)
	}
	for _, l := range lines {
		x := across(l.x, lines)
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eee"/><text x="%.1f" y="%d" text-anchor="middle">%v</text>`+"\n",
			x, x, top, height-bottom, x, height-bottom+18, l.x)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-6, e.axis)
	for i := range ways {
		curve(&b, lines, i)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// above is the place of a time, across that of what the experiment varies.
func above(seconds float64) float64 {
	seconds = min(max(seconds, shortest), longest)
	return height - bottom - math.Log(seconds/shortest)/math.Log(longest/shortest)*(height-top-bottom)
}

func across(x float64, lines []line) float64 {
	first, last := lines[0].x, lines[len(lines)-1].x
	if first == last {
		return (left + width - right) / 2
	}
	return left + 20 + (x-first)/(last-first)*(width-left-right-40)
}

func curve(b *strings.Builder, lines []line, way int) {
	var points []string
	var x, y float64
	for _, l := range lines {
		mean, least, most := l.times(way)
		x, y = across(l.x, lines), above(mean)
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s" stroke-width="2"/><circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n",
			x, x, above(least), above(most), colours[way], x, y, colours[way])
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s"/>`, strings.Join(points, " "), colours[way])
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s">%s</text>`+"\n", x+8, y+4, colours[way], ways[way].name)
}
