package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** The trivial rule on Kafka Streams: an offer goes out if the client asked for the service within 24 hours before. */
public final class Window {
    private static final String REQUESTS = "requests";
    private static final String WINDOWS = "windows";
    private static final String RULE = System.getenv("BENCH_RULE");
    private static final boolean EACH = "each".equals(RULE);
    private static final boolean KEEPS = EACH || "keeps".equals(RULE);
    private static final int MANY = 20;
    private static final long WINDOW = 24L * 3600 * 1000;
    private static final ObjectMapper JSON = new ObjectMapper();

    private Window() {}

    /**
     * One event in; for an offer, one answer out. State: when a client last asked for a service, in RocksDB. Where it
     * keeps, also the client's events of 24 hours, as pairs of time and id's hash, and what repeats one is passed over.
     */
    static final class Rule implements Processor<byte[], byte[], byte[], byte[]> {
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<String, Long> requests;
        private KeyValueStore<String, byte[]> windows;

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            this.requests = context.getStateStore(REQUESTS);
            this.windows = KEEPS ? context.getStateStore(WINDOWS) : null;
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                JsonNode event = JSON.readTree(record.value());
                int seen = KEEPS ? kept(event) : 1;
                if (seen == 0) {
                    return;
                }
                if (EACH) {
                    context.forward(record.withValue(counted(event, seen)));
                    return;
                }
                switch (event.get("type").textValue()) {
                    case "gate61.client.requested.v1" -> requests.put(asked(event), time(event));
                    case "gate61.offer.proposed.v1" -> context.forward(record.withValue(answer(event)));
                    default -> { }
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        /** How many events of 24 hours the client has with this one, which is kept; 0 if it is among them already. */
        private int kept(JsonNode event) {
            String client = event.get("subject").textValue();
            long at = time(event);
            long id = event.get("id").textValue().hashCode();
            byte[] known = windows.get(client);
            ByteBuffer kept = ByteBuffer.allocate((known == null ? 0 : known.length) + 16);
            for (ByteBuffer past = ByteBuffer.wrap(known == null ? new byte[0] : known); past.hasRemaining(); ) {
                long then = past.getLong();
                long seen = past.getLong();
                if (seen == id) {
                    return 0;
                }
                if (at - then < WINDOW) {
                    kept.putLong(then).putLong(seen);
                }
            }
            kept.putLong(at).putLong(id);
            windows.put(client, Arrays.copyOf(kept.array(), kept.position()));
            return kept.position() / 16;
        }

        private byte[] answer(JsonNode event) throws IOException {
            Long requested = requests.get(asked(event));
            boolean allowed = requested != null && time(event) - requested < WINDOW;
            ObjectNode said = JSON.createObjectNode();
            said.put("event", event.get("id").textValue());
            said.put("offer", event.get("data").get("offer").textValue());
            said.put("verdict", allowed ? "allow" : "block");
            return JSON.writeValueAsBytes(said);
        }

        private static String asked(JsonNode event) {
            return event.get("subject").textValue() + "|" + event.get("data").get("service").textValue();
        }

        private static long time(JsonNode event) {
            return OffsetDateTime.parse(event.get("time").textValue()).toInstant().toEpochMilli();
        }
    }

    private static byte[] counted(JsonNode event, int seen) throws IOException {
        ObjectNode said = JSON.createObjectNode();
        said.put("event", event.get("id").textValue());
        said.put("client", event.get("subject").textValue());
        said.put("seen", seen);
        said.put("verdict", seen <= MANY ? "allow" : "block");
        return JSON.writeValueAsBytes(said);
    }

    /** The rule of all events in Kafka Streams' own language: windows of a day, each event counted and answered. */
    private static Topology windowed(String input, String output) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(input, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .groupByKey()
                .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMillis(WINDOW)))
                .aggregate(
                        () -> new byte[4],
                        (client, event, before) -> next(event, before),
                        Materialized.<byte[], byte[], WindowStore<Bytes, byte[]>>as(WINDOWS)
                                .withKeySerde(Serdes.ByteArray())
                                .withValueSerde(Serdes.ByteArray())
                                .withCachingDisabled()) // With it, only the last of several answers goes out.
                .toStream((window, counted) -> window.key())
                .mapValues(counted -> Arrays.copyOfRange(counted, 4, counted.length))
                .to(output, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        return builder.build();
    }

    /** How many there are with this one, and its answer. */
    private static byte[] next(byte[] event, byte[] before) {
        try {
            int seen = ByteBuffer.wrap(before).getInt() + 1;
            byte[] answer = counted(JSON.readTree(event), seen);
            return ByteBuffer.allocate(4 + answer.length).putInt(seen).put(answer).array();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Topology topology(String input, String output) {
        Topology topology = new Topology()
                .addSource("events", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), input)
                .addProcessor("rule", Rule::new, "events")
                .addStateStore(
                        Stores.keyValueStoreBuilder(
                                        Stores.persistentKeyValueStore(REQUESTS), Serdes.String(), Serdes.Long())
                                .withCachingEnabled(),
                        "rule")
                .addSink("answers", output, Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "rule");
        if (KEEPS) {
            topology.addStateStore(
                    Stores.keyValueStoreBuilder(
                                    Stores.persistentKeyValueStore(WINDOWS), Serdes.String(), Serdes.ByteArray())
                            .withCachingEnabled(),
                    "rule");
        }
        return topology;
    }

    public static void main(String[] arguments) {
        Properties set = new Properties();
        set.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_KAFKA"));
        set.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_GROUP"));
        set.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_FOLDER"));
        set.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, System.getenv("BENCH_GUARANTEE"));
        set.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, System.getenv("BENCH_THREADS"));
        set.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "5");
        set.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), "131072");
        set.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "2000");
        String input = System.getenv("BENCH_INPUT");
        String output = System.getenv("BENCH_OUTPUT");
        Topology told = "windowed".equals(RULE) ? windowed(input, output) : topology(input, output);
        KafkaStreams streams = new KafkaStreams(told, set);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
