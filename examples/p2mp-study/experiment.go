package main

import (
	"time"

	"github.com/ferrygo/ferry/p2mp"
)

// A point is a place where the transfers are measured.
type point struct {
	x         float64 // what the experiment varies
	receivers int
	mss       int
	loss      float64 // of every packet on its way to a receiver
}

// An experiment varies one thing.
type experiment struct {
	name, title string
	axis        string // what x is; the heading of the table's first column
	points      []point
}

// experiments are the usual ones.
func experiments() []experiment {
	receivers := experiment{name: "receivers", title: "Number of receivers, at MSS 500 and p = 0.05", axis: "receivers"}
	for n := 1; n <= 5; n++ {
		receivers.points = append(receivers.points, point{float64(n), n, 500, 0.05})
	}
	mss := experiment{name: "mss", title: "MSS, with 3 receivers at p = 0.05", axis: "MSS"}
	for m := 100; m <= 1000; m += 100 {
		mss.points = append(mss.points, point{float64(m), 3, m, 0.05})
	}
	loss := experiment{name: "loss", title: "Loss, with 3 receivers at MSS 500", axis: "p"}
	for percent := 1; percent <= 10; percent++ {
		p := float64(percent) / 100
		loss.points = append(loss.points, point{p, 3, 500, p})
	}
	return []experiment{receivers, mss, loss}
}

// choose returns the experiments of that name, or all, with the points at that value, or
// all.
func choose(name string, at float64) []experiment {
	var chosen []experiment
	for _, e := range experiments() {
		if name != "" && name != e.name {
			continue
		}
		var points []point
		for _, p := range e.points {
			if at == 0 || at == p.x {
				points = append(points, p)
			}
		}
		if e.points = points; len(points) > 0 {
			chosen = append(chosen, e)
		}
	}
	return chosen
}

// A way is one to send a file.
type way struct {
	name   string
	sender p2mp.Sender
}

// fixed is the timer of the P2MP-FTP report ("Client", point 3).
const fixed = 100 * time.Millisecond

// The ways that are compared, in the order of the columns.
var ways = []way{
	{"classic, timer 0.1 s", p2mp.Sender{Classic: true, Timeout: fixed}},
	{"classic, timer measured", p2mp.Sender{Classic: true}},
	{"extended, unicast", p2mp.Sender{}},
	{"extended, group", p2mp.Sender{Group: group}},
}
