// S4, Kafka Streams: the same job as a topology. Usage: KafkaStreamsJob FILE, a private Java properties file:
// job, source, sink, group, folder, ed25519 (jdk or bouncycastle), hub.schema (path), key.<kid> = public key, and
// client.<name> = <value> for the clients. Runs until SIGTERM.

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.bouncycastle.crypto.params.Ed25519PublicKeyParameters;
import org.bouncycastle.crypto.signers.Ed25519Signer;

public final class KafkaStreamsJob {
    private static final int PREFIX = 5;
    private static final int AFTER_PROTECTED = 68;
    private static final int KID_START = 8;
    private static final byte[] HEAD = HexFormat.of().parseHex("846a5369676e61747572653158");
    private static final byte[] X509 = HexFormat.of().parseHex("302a300506032b6570032100");

    /** Where a copy goes, and the copy. */
    record Sent(String topic, byte[] value) {}

    interface Verifier {
        boolean verify(byte[] message, byte[] signature);
    }

    public static void main(String[] arguments) throws Exception {
        Properties given = new Properties();
        try (var reader = Files.newBufferedReader(Path.of(arguments[0]))) {
            given.load(reader);
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(given.getProperty("source"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
            .process(() -> new Work(given))
            .to((key, sent, context) -> sent.topic(), Produced.with(Serdes.ByteArray(), Serdes.serdeFrom(
                (topic, sent) -> sent.value(), (topic, bytes) -> new Sent(topic, bytes))));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(given));
        CountDownLatch ended = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(java.time.Duration.ofSeconds(5));
            ended.countDown();
        }));
        streams.start();
        ended.await();
    }

    private static Properties settings(Properties given) {
        Properties found = new Properties();
        for (String name : given.stringPropertyNames()) {
            if (name.startsWith("client.")) {
                found.put(name.substring("client.".length()), given.getProperty(name));
            }
        }
        found.put("application.id", given.getProperty("group"));
        found.put("state.dir", given.getProperty("folder"));
        found.put("processing.guarantee", "at_least_once");
        found.put("num.stream.threads", "1");
        found.put("commit.interval.ms", "1000");
        found.put("statestore.cache.max.bytes", "0");
        return found;
    }

    /** One alert in, its copies out, with the signature as the only header. */
    static final class Work extends ContextualProcessor<byte[], byte[], byte[], Sent> {
        private final boolean passes;
        private final String sink;
        private final Map<String, Verifier> keys = new HashMap<>();
        private final GenericDatumReader<GenericRecord> reader;
        private BinaryDecoder decoder;

        Work(Properties given) {
            passes = given.getProperty("job").equals("pass");
            sink = given.getProperty("sink") + ".";
            try {
                reader = new GenericDatumReader<>(new Schema.Parser().parse(Path.of(given.getProperty("hub.schema")).toFile()));
                for (String name : given.stringPropertyNames()) {
                    if (name.startsWith("key.")) {
                        byte[] key = HexFormat.of().parseHex(given.getProperty(name));
                        keys.put(name.substring(4), given.getProperty("ed25519").equals("jdk") ? jdk(key) : bouncyCastle(key));
                    }
                }
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            byte[] sig = record.headers().lastHeader("sig").value();
            RecordHeaders headers = new RecordHeaders();
            headers.add("sig", sig);
            if (passes) {
                context().forward(new Record<>(record.key(), new Sent(sink + "all", record.value()), record.timestamp(), headers));
                return;
            }
            byte[] value = record.value();
            String kid = HexFormat.of().formatHex(sig, KID_START, KID_START + 16);
            byte[] signature = Arrays.copyOfRange(sig, sig.length - 64, sig.length);
            if (!keys.get(kid).verify(structure(sig, value), signature)) {
                throw new IllegalStateException("a signature does not hold");
            }
            for (Object member : members(record.headers().lastHeader("hub").value())) {
                context().forward(new Record<>(record.key(), new Sent(sink + member, value), record.timestamp(), headers));
            }
        }

        private List<?> members(byte[] hub) {
            try {
                decoder = DecoderFactory.get().binaryDecoder(hub, decoder);
                return (List<?>) reader.read(null, decoder).get("members");
            } catch (java.io.IOException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    /** The Sig_structure of RFC 9052 over the protected map and the body. */
    private static byte[] structure(byte[] sig, byte[] value) {
        int protectedLength = sig.length - AFTER_PROTECTED - 3;
        int body = value.length - PREFIX;
        byte[] head = body < 24 ? new byte[] {(byte) (0x40 + body)}
            : body < 256 ? new byte[] {0x58, (byte) body}
            : body < 65536 ? new byte[] {0x59, (byte) (body >> 8), (byte) body}
            : new byte[] {0x5a, (byte) (body >> 24), (byte) (body >> 16), (byte) (body >> 8), (byte) body};
        var buffer = java.nio.ByteBuffer.allocate(HEAD.length + 2 + protectedLength + head.length + body);
        buffer.put(HEAD).put((byte) protectedLength).put(sig, 3, protectedLength).put((byte) 0x40);
        return buffer.put(head).put(value, PREFIX, body).array();
    }

    private static Verifier jdk(byte[] key) throws Exception {
        byte[] encoded = new byte[X509.length + key.length];
        System.arraycopy(X509, 0, encoded, 0, X509.length);
        System.arraycopy(key, 0, encoded, X509.length, key.length);
        PublicKey known = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
        Signature verifier = Signature.getInstance("Ed25519");
        return (message, signature) -> {
            try {
                verifier.initVerify(known);
                verifier.update(message);
                return verifier.verify(signature);
            } catch (java.security.GeneralSecurityException error) {
                throw new IllegalStateException(error);
            }
        };
    }

    private static Verifier bouncyCastle(byte[] key) {
        Ed25519PublicKeyParameters known = new Ed25519PublicKeyParameters(key, 0);
        Ed25519Signer verifier = new Ed25519Signer();
        return (message, signature) -> {
            verifier.init(false, known);
            verifier.update(message, 0, message.length);
            return verifier.verifySignature(signature);
        };
    }
}
