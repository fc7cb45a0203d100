package lossy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// LAN is a wired local network: Ethernet of 1 Gbit/s, on which 66 bytes go
// with each payload (headers of UDP, IPv4 and Ethernet, check sequence,
// preamble and gap: IEEE 802.3), a queue of 100 packets, and 100 µs. That
// queue and that delay are guesses of ours at two hosts and a switch.
//
// Of this and all presets each direction is like the other, and the numbers
// are a place to begin from. For the network that matters to you, measure, and
// use [TableDelay].
func LAN() Model {
	return Compose(
		RateWith(RateConfig{BitsPerSecond: 1e9, Overhead: 66, Packets: 100}),
		Delay(100*time.Microsecond),
	)
}

// WiFi is a wireless local network that has other users. The rate, 40 Mbit/s,
// is that of the profile Wi-Fi in Apple's Network Link Conditioner. What
// remains is our choice, after what 802.11 does, which numbers its frames and
// repeats what is lost: [ParetoNormalDelay] of 3 ms with 2 ms of jitter, in
// order; a queue of 256 packets; and where repeating was not enough, bursts of
// three packets on average, which make a loss of 0.5 %.
func WiFi() Model {
	return Compose(
		GilbertElliott(0.005/0.995/3, 1.0/3, 1, 0),
		RateWith(RateConfig{BitsPerSecond: 40e6, Overhead: 28, Packets: 256}),
		ParetoNormalDelay(3*time.Millisecond, 2*time.Millisecond),
		InOrder(),
	)
}

// LTE is a mobile network, with the median downlink of 13 Mbit/s that Huang
// and others measured ("A Close Examination of Performance and Power
// Characteristics of 4G LTE Networks", MobiSys 2012). What remains is our
// choice, after what its radio does, which repeats what is lost and has deep
// queues: normally distributed 35 ms with a deviation of 7 ms, in order, and
// a queue of a second.
func LTE() Model {
	return Compose(
		RateWith(RateConfig{BitsPerSecond: 13e6, Overhead: 28, Packets: -1, Bytes: 13e6 / 8}),
		NormalDelay(35*time.Millisecond, 7*time.Millisecond),
		InOrder(),
	)
}

// Satellite is a hop by a geostationary satellite. It takes the 279 ms of RFC
// 2488, section 2, for hosts at the edge of the satellite's view. One bit in
// ten million is wrong, the rate that the same section gives as typical, and
// takes its packet along: 0.11 % with 1428 bytes. The 10 Mbit/s and the queue
// of half a second are our choice.
func Satellite() Model {
	return Compose(
		Loss(1428*8*1e-7),
		RateWith(RateConfig{BitsPerSecond: 10e6, Overhead: 28, Packets: -1, Bytes: 10e6 / 8 / 2}),
		Delay(279*time.Millisecond),
	)
}

// Preset returns a network by its name: lan, wifi, lte, satellite or
// assignment, which is [Assignment]. Any other name is an error.
func Preset(name string) (Model, error) {
	presets := map[string]Model{
		"lan": LAN(), "wifi": WiFi(), "lte": LTE(), "satellite": Satellite(), "assignment": Assignment(),
	}
	m := presets[name]
	if m == nil {
		names := slices.Sorted(maps.Keys(presets))
		return nil, fmt.Errorf("lossy: there is no preset %q, only %s", name, strings.Join(names, ", "))
	}
	return m, nil
}
