package websocket

import (
	"testing"

	"github.com/cycletls/cycletls/golang/internal/wait"
	"github.com/cycletls/cycletls/golang/internal/wait/waittest"
)

func BenchmarkEcho(b *testing.B) {
	for name, deflate := range compressions {
		b.Run(name, func(b *testing.B) {
			up, down := waittest.Pipe()
			client, server := New(up, Config{Deflate: deflate}), New(down, Config{Server: true, Deflate: deflate})
			ctx, p := wait.Background(), make([]byte, 1024)
			b.ReportAllocs()
			for b.Loop() {
				_ = client.Send(ctx, Binary, p)
				opcode, q, _ := server.Receive(ctx)
				_ = server.Send(ctx, opcode, q)
				_, _, _ = client.Receive(ctx)
			}
		})
	}
}

func BenchmarkMask(b *testing.B) {
	p := make([]byte, 16384)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		mask(p, [4]byte{1, 2, 3, 4}, 0)
	}
}
