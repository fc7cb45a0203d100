module github.com/ferrygo/ferry

go 1.26.0
