module github.com/ferrygo/ferry/bench

go 1.26.3

require (
	github.com/ferrygo/ferry v0.0.0
	github.com/marcopolo/simnet v0.0.7
	github.com/pion/logging v0.2.4
	github.com/pion/transport/v4 v4.1.3
	github.com/quic-go/quic-go v0.65.0
	golang.org/x/sys v0.49.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)

replace github.com/ferrygo/ferry => ../
