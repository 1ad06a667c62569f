// SPDX-License-Identifier: Apache-2.0

// A foreign agent: the OpAMP project's own client.  It takes every plan, and writes a line for each connection and plan.
//
//	opamp URL CA CERTIFICATE KEY SERVER-NAME
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/open-telemetry/opamp-go/client"
	"github.com/open-telemetry/opamp-go/client/types"
	"github.com/open-telemetry/opamp-go/protobufs"
)

type quiet struct{}

func (quiet) Debugf(context.Context, string, ...any) {}
func (quiet) Errorf(_ context.Context, format string, v ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", v...)
}

func tell(event string, more map[string]any) {
	line := map[string]any{"event": event}
	for key, value := range more {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(text))
}

func tlsConfig(ca, certificate, key, name string) *tls.Config {
	authority, err := os.ReadFile(ca)
	if err != nil {
		log.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: name, MinVersion: tls.VersionTLS12}
}

// A plan: what is in it goes out as it came, and the server is told that it is in force.
func take(agent client.OpAMPClient, config *protobufs.AgentRemoteConfig) {
	files := map[string]any{}
	for name, file := range config.GetConfig().GetConfigMap() {
		files[name] = json.RawMessage(file.GetBody())
	}
	tell("plan", map[string]any{"hash": hex.EncodeToString(config.GetConfigHash()), "files": files})
	err := agent.SetRemoteConfigStatus(&protobufs.RemoteConfigStatus{
		LastRemoteConfigHash: config.GetConfigHash(),
		Status:               protobufs.RemoteConfigStatuses_RemoteConfigStatuses_APPLIED,
	})
	if err != nil {
		log.Fatal(err)
	}
}

func settings(agent client.OpAMPClient, url string, config *tls.Config) types.StartSettings {
	var uid types.InstanceUid
	if _, err := rand.Read(uid[:]); err != nil {
		log.Fatal(err)
	}
	return types.StartSettings{
		OpAMPServerURL: url,
		TLSConfig:      config,
		InstanceUid:    uid,
		Callbacks: types.Callbacks{
			OnConnect: func(context.Context) { tell("connected", nil) },
			OnMessage: func(_ context.Context, message *types.MessageData) {
				if message.RemoteConfig != nil {
					take(agent, message.RemoteConfig)
				}
			},
		},
	}
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("usage: opamp URL CA CERTIFICATE KEY SERVER-NAME")
	}
	agent := client.NewWebSocket(quiet{})
	capabilities := protobufs.AgentCapabilities_AgentCapabilities_AcceptsRemoteConfig |
		protobufs.AgentCapabilities_AgentCapabilities_ReportsRemoteConfig | protobufs.AgentCapabilities_AgentCapabilities_ReportsStatus
	about := protobufs.AgentDescription{IdentifyingAttributes: []*protobufs.KeyValue{{
		Key:   "service.name",
		Value: &protobufs.AnyValue{Value: &protobufs.AnyValue_StringValue{StringValue: "foreign"}},
	}}}
	if err := agent.SetAgentDescription(&about); err != nil {
		log.Fatal(err)
	}
	if err := agent.SetCapabilities(&capabilities); err != nil {
		log.Fatal(err)
	}
	config := tlsConfig(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	if err := agent.Start(context.Background(), settings(agent, os.Args[1], config)); err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	if err := agent.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
}
