package netem_test

import (
	"fmt"

	"github.com/ferrygo/ferry/lossy/netem"
)

// tc's words for a network.
func Example() {
	m, err := netem.Parse("delay 50ms 10ms distribution normal loss gemodel 1% 10%")
	fmt.Println(m != nil, err)
	_, err = netem.Parse("delay 50ms losss 1%")
	fmt.Println(err)
	// Output:
	// true <nil>
	// netem: "losss" is not understood
}
