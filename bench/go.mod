module github.com/ferrygo/ferry/bench

go 1.26.3

require (
	github.com/ferrygo/ferry v0.0.0
	github.com/quic-go/quic-go v0.65.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/ferrygo/ferry => ../
