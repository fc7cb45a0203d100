package rtt_test

import (
	"fmt"
	"time"

	"github.com/ferrygo/ferry/internal/rtt"
)

func ExampleEstimator() {
	var peer rtt.Estimator
	fmt.Println("nothing known:", peer.RTO())

	peer.Sample(20 * time.Millisecond)
	fmt.Println("one answer in 20ms:", peer.RTO())

	peer.TimedOut()
	peer.TimedOut()
	fmt.Println("two packets unanswered:", peer.RTO())

	peer.Heard() // the answer to the second, or to the first after all
	fmt.Println("heard again:", peer.RTO())

	// Output:
	// nothing known: 100ms
	// one answer in 20ms: 60ms
	// two packets unanswered: 240ms
	// heard again: 60ms
}
