package io.raybatch;

import org.apache.fory.Fory;
import org.apache.fory.config.Config;
import org.apache.fory.context.ReadContext;
import org.apache.fory.context.WriteContext;
import org.apache.fory.serializer.Serializer;

/** References and actors as Fory writes them inside of values: what {@link Handles} has for them. */
final class ForyHandles {

    private ForyHandles() {}

    static void register(Fory fory) {
        fory.registerSerializerAndType(ObjectRef.class, types -> new OfReference(types.getConfig()));
        fory.registerSerializerAndType(ActorHandle.class, types -> new OfActor(types.getConfig()));
        fory.register(ObjectId.class);
    }

    @SuppressWarnings("rawtypes")
    private static final class OfReference extends Serializer<ObjectRef> {

        OfReference(Config config) {
            super(config, ObjectRef.class);
        }

        @Override
        public void write(WriteContext out, ObjectRef ref) {
            Handles.Reference form = ref.form();
            out.writeInt64(form.batch());
            out.writeInt64(form.task());
            out.writeInt32(form.index());
            out.writeInt64(form.store());
        }

        @Override
        public ObjectRef read(ReadContext in) {
            return new Handles.Reference(in.readInt64(), in.readInt64(), in.readInt32(), in.readInt64()).resolve();
        }
    }

    @SuppressWarnings("rawtypes")
    private static final class OfActor extends Serializer<ActorHandle> {

        OfActor(Config config) {
            super(config, ActorHandle.class);
        }

        @Override
        public void write(WriteContext out, ActorHandle actor) {
            Handles.Actor form = actor.form();
            out.writeInt32(form.number());
            out.writeString(form.name());
            out.writeInt64(form.owner());
            out.writeInt64(form.store());
        }

        @Override
        public ActorHandle read(ReadContext in) {
            return new Handles.Actor(in.readInt32(), in.readString(), in.readInt64(), in.readInt64()).resolve();
        }
    }
}
