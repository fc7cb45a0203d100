package lossy

// RaceFactor divides what the race detector makes slow.
const RaceFactor = raceFactor

// Hold keeps the network's timer from going off while f runs: due events
// happen in the methods that f calls.
func Hold(n *Network, f func()) {
	n.mu.Lock()
	alarm := n.alarm
	n.alarm = 0 // earlier than anything: nothing sets the timer
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.alarm = alarm
		n.mu.Unlock()
	}()
	f()
}
