package io.raybatch;

import static io.raybatch.Kind.behaves;
import static io.raybatch.Kind.equal;
import static io.raybatch.Kind.refused;

import java.io.File;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.text.DecimalFormat;
import java.text.SimpleDateFormat;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Month;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.chrono.JapaneseDate;
import java.time.chrono.ThaiBuddhistDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Calendar;
import java.util.Currency;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Random;
import java.util.SimpleTimeZone;
import java.util.StringJoiner;
import java.util.TimeZone;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;

/** Values of the JDK that are no collections, and arrays. */
final class CorpusValues {

    private CorpusValues() {}

    static List<Kind> all() {
        List<Kind> all = new ArrayList<>(times());
        all.addAll(texts());
        all.addAll(numbers());
        all.addAll(arrays());
        all.addAll(buffers());
        all.addAll(others());
        all.addAll(formless());
        return all;
    }

    private static List<Kind> times() {
        LocalDateTime noon = LocalDateTime.of(2026, 2, 3, 12, 0, 0, 7);
        return List.of(
                equal("Instant", () -> Instant.ofEpochSecond(7, 9)),
                equal("Instant.MIN", () -> Instant.MIN),
                equal("Duration", () -> Duration.ofSeconds(-7, 9)),
                equal("Period", () -> Period.of(1, -2, 3)),
                equal("LocalDate", () -> LocalDate.of(2026, 2, 3)),
                equal("LocalDate.MAX", () -> LocalDate.MAX),
                equal("LocalTime", () -> LocalTime.of(1, 2, 3, 4)),
                equal("LocalDateTime", () -> noon),
                equal("ZonedDateTime", () -> noon.atZone(ZoneId.of("Europe/Berlin"))),
                equal("ZonedDateTime at an overlap", () -> ZonedDateTime.ofLocal(
                        LocalDateTime.of(2026, 10, 25, 2, 30), ZoneId.of("Europe/Berlin"), ZoneOffset.ofHours(1))),
                equal("OffsetDateTime", () -> noon.atOffset(ZoneOffset.ofHoursMinutes(5, 30))),
                equal("OffsetTime", () -> OffsetTime.of(LocalTime.NOON, ZoneOffset.MAX)),
                equal("Year", () -> Year.of(-44)),
                equal("YearMonth", () -> YearMonth.of(2026, 2)),
                equal("MonthDay", () -> MonthDay.of(2, 29)),
                equal("DayOfWeek", () -> DayOfWeek.FRIDAY),
                equal("Month", () -> Month.MAY),
                equal("ZoneId", () -> ZoneId.of("America/New_York")),
                equal("ZoneId UTC", () -> ZoneId.of("UTC")),
                equal("ZoneOffset", () -> ZoneOffset.ofTotalSeconds(61)),
                equal("JapaneseDate", () -> JapaneseDate.of(2026, 2, 3)),
                equal("ThaiBuddhistDate", () -> ThaiBuddhistDate.of(2569, 2, 3)),
                equal("zone rules", () -> ZoneId.of("Europe/Berlin").getRules()),
                equal("ChronoUnit", () -> java.time.temporal.ChronoUnit.WEEKS),
                equal("WeekFields", () -> java.time.temporal.WeekFields.of(Locale.GERMANY)),
                equal("Clock", () -> java.time.Clock.fixed(Instant.EPOCH, ZoneOffset.UTC)),
                equal("Date", () -> new Date(7)),
                equal("Calendar", () -> calendar()),
                behaves("TimeZone", () -> TimeZone.getTimeZone("Asia/Tokyo"), zone -> zone.getID() + zone.getRawOffset()),
                equal("SimpleTimeZone", () -> new SimpleTimeZone(7_000, "mine")),
                equal("TimeUnit", () -> TimeUnit.DAYS));
    }

    private static Calendar calendar() {
        GregorianCalendar calendar = new GregorianCalendar(TimeZone.getTimeZone("Asia/Tokyo"), Locale.JAPAN);
        calendar.setTimeInMillis(86_400_000L * 365);
        calendar.setFirstDayOfWeek(Calendar.WEDNESDAY);
        return calendar;
    }

    private static List<Kind> texts() {
        return List.of(
                equal("String", () -> "gr\u00fc\u00df"),
                equal("empty String", () -> ""),
                equal("Character", () -> '\ud800'),
                behaves("StringBuilder", () -> new StringBuilder("abc\u4e16"), text -> text.append("d").toString()),
                behaves("StringBuffer", () -> new StringBuffer("abc"), text -> text.append("d").toString()),
                equal("Locale", () -> Locale.forLanguageTag("de-CH-1996")),
                equal("Locale with script and extension", () -> Locale.forLanguageTag("zh-Hant-TW-u-ca-roc")),
                equal("Locale.ROOT", () -> Locale.ROOT),
                equal("Locale with a variant", () -> new Locale("no", "NO", "NY")),
                equal("Charset", () -> StandardCharsets.UTF_16LE),
                equal("another Charset", () -> Charset.forName("windows-1252")),
                behaves("Pattern", () -> Pattern.compile("a(b)+", Pattern.CASE_INSENSITIVE),
                        p -> p.pattern() + p.flags() + p.matcher("xABBx").find()),
                equal("URI", () -> URI.create("http://x.example/a?b=c#d")),
                behaves("URL", () -> url("http://localhost/a?b=c"), URL::toExternalForm),
                equal("File", () -> new File("a/b")),
                equal("Path", () -> Path.of("a", "b")),
                equal("absolute Path", () -> Path.of("/a/../b")),
                equal("empty Path", () -> Path.of("")),
                equal("UUID", () -> new UUID(1, -2)),
                equal("Currency", () -> Currency.getInstance("EUR")),
                behaves("DecimalFormat", () -> new DecimalFormat("#,##0.00", java.text.DecimalFormatSymbols.getInstance(Locale.US)),
                        f -> f.format(1234.5)),
                equal("SimpleDateFormat", () -> new SimpleDateFormat("yyyy-MM-dd", Locale.US)),
                equal("MessageFormat", () -> new java.text.MessageFormat("{0} of {1}", Locale.US)),
                equal("InetAddress", () -> inet()),
                equal("InetSocketAddress", () -> InetSocketAddress.createUnresolved("host.example", 80)),
                equal("resolved InetSocketAddress", () -> new InetSocketAddress(inet(), 80)));
    }

    private static InetAddress inet() {
        try {
            return InetAddress.getByAddress("named", new byte[] {127, 0, 0, 1});
        } catch (java.net.UnknownHostException e) {
            throw new AssertionError(e);
        }
    }

    private static URL url(String text) {
        try {
            return URI.create(text).toURL();
        } catch (java.net.MalformedURLException e) {
            throw new AssertionError(e);
        }
    }

    private static List<Kind> numbers() {
        return List.of(
                equal("Integer", () -> -7),
                equal("Long", () -> Long.MIN_VALUE),
                equal("Double", () -> -0.0),
                equal("NaN", () -> Double.NaN),
                equal("Float", () -> 1.5f),
                equal("Short", () -> (short) -1),
                equal("Byte", () -> (byte) -1),
                equal("Boolean", () -> true),
                equal("BigInteger", () -> BigInteger.ONE.shiftLeft(200).negate()),
                equal("BigDecimal", () -> new BigDecimal("-1.2500")),
                equal("BigDecimal of a negative scale", () -> new BigDecimal(BigInteger.TEN, -7)),
                equal("huge BigDecimal", () -> new BigDecimal("9".repeat(80) + "." + "1".repeat(40))),
                equal("MathContext", () -> MathContext.DECIMAL64),
                equal("RoundingMode", () -> RoundingMode.HALF_EVEN),
                behaves("AtomicInteger", () -> new AtomicInteger(7), AtomicInteger::incrementAndGet),
                behaves("AtomicLong", () -> new AtomicLong(7), AtomicLong::incrementAndGet),
                behaves("AtomicBoolean", () -> new AtomicBoolean(true), AtomicBoolean::get),
                behaves("AtomicReference", () -> new AtomicReference<>(List.of(1)), AtomicReference::get),
                behaves("AtomicReference of null", () -> new AtomicReference<>(), AtomicReference::get),
                behaves("AtomicIntegerArray", () -> new AtomicIntegerArray(new int[] {1, 2}), AtomicIntegerArray::toString),
                behaves("LongAdder", () -> adder(), LongAdder::sum),
                equal("BitSet", () -> BitSet.valueOf(new long[] {5, 0, 7})),
                equal("empty BitSet", BitSet::new),
                behaves("Random", () -> new Random(7), Random::nextLong),
                equal("Optional", () -> Optional.of("x")),
                equal("Optional of a list", () -> Optional.of(List.of(1))),
                equal("Optional.empty", Optional::empty),
                equal("OptionalInt", () -> OptionalInt.of(7)),
                equal("OptionalInt.empty", OptionalInt::empty),
                equal("OptionalLong", () -> OptionalLong.of(7)),
                equal("OptionalDouble", () -> OptionalDouble.of(7)));
    }

    private static LongAdder adder() {
        LongAdder adder = new LongAdder();
        adder.add(7);
        return adder;
    }

    private static List<Kind> arrays() {
        Object[] cyclic = new Object[2];
        cyclic[0] = cyclic;
        Number[] numbers = {1, 2.5, null};
        return List.of(
                equal("byte[]", () -> new byte[] {1, -1}),
                equal("int[]", () -> new int[] {1, -1}),
                equal("boolean[]", () -> new boolean[] {true}),
                equal("char[]", () -> new char[] {'\ud800'}),
                equal("double[][]", () -> new double[][] {{1}, {}, null, {2, 3}}),
                equal("int[][][]", () -> new int[][][] {{{1}}, {{}, {2}}}),
                equal("byte[][]", () -> new byte[][] {{1}, {2}}),
                equal("String[]", () -> new String[] {"a", null}),
                equal("String[][]", () -> new String[][] {{"a"}, null}),
                equal("Object[]", () -> new Object[] {1, "a", null, new int[] {7}}),
                behaves("Object[] that has itself", () -> cyclic, a -> a[0] == a),
                behaves("Number[]", () -> numbers, a -> a.getClass() + Arrays.toString(a)),
                behaves("Integer[]", () -> new Integer[] {1, null}, a -> a.getClass() + Arrays.toString(a)),
                behaves("Integer[][]", () -> new Integer[][] {{1}, {null}}, a -> a.getClass() + Arrays.deepToString(a)),
                behaves("List[]", () -> new List<?>[] {List.of(1), null}, a -> a.getClass() + Arrays.toString(a)),
                behaves("Object[][]", () -> new Object[][] {{1}, new String[] {"s"}}, a -> a[1].getClass() + Arrays.deepToString(a)),
                equal("empty Object[]", () -> new Object[0]),
                equal("Enum[]", () -> new Thread.State[] {Thread.State.NEW}),
                equal("Comparable[]", () -> new Comparable<?>[] {1, "a"}),
                equal("Class[]", () -> new Class<?>[] {int.class, String.class}),
                equal("Path[]", () -> new Path[] {Path.of("x")}),
                equal("Optional[]", () -> new Optional<?>[] {Optional.of(1)}));
    }

    private static Object buffer(java.nio.Buffer b) {
        return List.of(b.position(), b.limit(), b.toString().replaceAll("0x[0-9a-f]+", ""));
    }

    private static List<Kind> buffers() {
        return List.of(
                behaves("ByteBuffer", () -> ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}), b -> b.order() + " " + b.getLong()),
                behaves("ByteBuffer little-endian", () -> ByteBuffer.wrap(new byte[] {1, 2, 3, 4}).order(ByteOrder.LITTLE_ENDIAN),
                        b -> b.order() + " " + b.getInt()),
                behaves("direct ByteBuffer little-endian", () -> direct(ByteOrder.LITTLE_ENDIAN), b -> b.order() + " " + b.getInt()),
                behaves("direct ByteBuffer", () -> direct(ByteOrder.BIG_ENDIAN), b -> b.order() + " " + b.getInt()),
                behaves("read-only ByteBuffer little-endian",
                        () -> direct(ByteOrder.LITTLE_ENDIAN).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN), b -> b.order() + " " + b.getInt()),
                behaves("ByteBuffer in a list", () -> List.of(ByteBuffer.wrap(new byte[] {9, 1, 2, 3, 4}).position(1)
                        .order(ByteOrder.LITTLE_ENDIAN)), list -> list.get(0).order() + " " + list.get(0).getInt()),
                equal("CharBuffer", () -> CharBuffer.wrap("abc").position(1)),
                equal("IntBuffer", () -> IntBuffer.wrap(new int[] {1, 2, 3}).position(1)),
                equal("LongBuffer of a ByteBuffer", () -> direct(ByteOrder.LITTLE_ENDIAN).asLongBuffer()));
    }

    private static ByteBuffer direct(ByteOrder order) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(16).order(order);
        for (int n = 0; n < 4; n++) {
            buffer.putInt(n + 7);
        }
        return buffer.flip();
    }

    private static List<Kind> others() {
        return List.of(
                behaves("Object", Object::new, Object::getClass),
                equal("Class", () -> String.class),
                equal("primitive Class", () -> int.class),
                equal("void Class", () -> void.class),
                equal("array Class", () -> int[][].class),
                equal("Thread.State", () -> Thread.State.BLOCKED),
                equal("StackTraceElement", () -> new StackTraceElement("A", "b", "C.java", 7)),
                equal("PosixFilePermission", () -> java.nio.file.attribute.PosixFilePermission.GROUP_READ),
                equal("java.sql free MessageDigest name", () -> "SHA-256"),
                behaves("ReentrantLock", ReentrantLock::new, ReentrantLock::tryLock));
    }

    private static List<Kind> formless() {
        return List.of(
                refused("Thread", () -> new Thread("never started"), "java.lang.Thread"),
                refused("Stream", () -> List.of(1).stream(), "java.util.stream"),
                refused("Iterator", () -> new ArrayList<>(List.of(1)).iterator(), "java.util.ArrayList$Itr"),
                refused("Matcher", () -> Pattern.compile("a").matcher("a"), "java.util.regex.Matcher"),
                refused("StringJoiner", () -> new StringJoiner(","), "java.util.StringJoiner"),
                refused("CompletableFuture", CompletableFuture::new, "java.util.concurrent.CompletableFuture"),
                refused("ThreadLocal", ThreadLocal::new, "java.lang.ThreadLocal"),
                refused("ClassLoader", ClassLoader::getSystemClassLoader, "oader"),
                refused("InputStream", () -> new java.io.ByteArrayInputStream(new byte[1]), "java.io.ByteArrayInputStream"),
                refused("WeakReference", () -> new java.lang.ref.WeakReference<>("x"), "java.lang.ref.WeakReference"),
                refused("Method", () -> Object.class.getMethods()[0], "java.lang.reflect.Method"),
                refused("lambda that is not serializable", () -> (Runnable) () -> {}, "erializable"),
                refused("list of a Thread", () -> List.of(new Thread("never started")), "java.lang.Thread"));
    }
}
